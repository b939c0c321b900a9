import { addAbortSignal, type Readable } from 'node:stream'
import type { KeyValue } from 'hyparquet'
import type { SnapshotColumn } from '../db/analytics-snapshot'
import { columnOf } from './column-types'
import { CopyReader } from './copy-reader'
import type { Parquet } from './parquet'
import { PartFile } from './part-file'

export interface RowGroupSize {
  readonly rows: number
  /** As PostgreSQL sends them. */
  readonly bytes: number
}

export interface PartOptions {
  readonly path: string
  readonly columns: readonly SnapshotColumn[]
  /** As COPY sends them. */
  readonly rows: Readable
  readonly metadata: KeyValue[]
  readonly createdBy: string
  readonly rowGroup: RowGroupSize
  readonly signal?: AbortSignal
  /** Told of each row group. */
  readonly onRows: (rows: number) => void
}

/** Writes one file, row group by row group. */
export async function writePart(
  parquet: Parquet,
  { path, columns, rows, rowGroup, signal, onRows, ...about }: PartOptions,
): Promise<{ rows: number; bytes: number }> {
  const filled = columns.map(({ name, type }) => {
    const column = columnOf(name, type)
    if (!column) throw new TypeError(`Column ${name} has a type that cannot be exported (object id ${type}).`)
    return column
  })
  const reader = new CopyReader(filled)
  const file = await PartFile.create(parquet, path, filled, about)
  try {
    if (signal) addAbortSignal(signal, rows)
    for await (const piece of rows) {
      reader.push(piece)
      while (reader.fill(rowGroup)) {
        await file.writeGroup(reader.rows)
        onRows(reader.rows)
        reader.startGroup()
      }
    }
    if (reader.rows > 0) await file.writeGroup(reader.rows)
    onRows(reader.rows)
    return { rows: file.rows, bytes: await file.commit() }
  } catch (error) {
    await file.discard()
    throw signal?.aborted ? signal.reason : error
  }
}
