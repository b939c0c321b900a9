import type { Rows } from './copy-reader'

/**
 * The different values of a column in a row group, in the order they came, as Parquet stores them. Where nearly all are
 * different, the same one may be there more than once.
 */
export interface Dictionary {
  readonly size: number
  /** The number of the value that `rows` hold there as PostgreSQL sends it; a new one, if it is new. */
  indexOf(rows: Rows, offset: number, length: number): number
  /** All values, plainly encoded. It is overwritten by what comes after {@link clear}. */
  plain(): Uint8Array
  /** How many bytes these values take without a dictionary. */
  sizeOf(indexes: Int32Array): number
  /** These values, plainly encoded, one after the other. */
  expand(indexes: Int32Array): Uint8Array
  /** The least and the greatest value; `undefined` if there is none. */
  bounds(): Bounds | undefined
  clear(): void
}

export interface Bounds {
  readonly min: Bound
  readonly max: Bound
}

type Bound = boolean | number | bigint | Uint8Array
