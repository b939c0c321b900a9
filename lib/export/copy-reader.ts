import type { Column } from './column'
import type { RowGroupSize } from './write-part'

/** `PGCOPY\n\xff\r\n\0`, then flags and the length of what else the header holds: nothing. */
const HEADER_BYTES = 19

/**
 * Takes apart what `copy … to stdout (format binary)` sends, in pieces of whatever size, and gives each column its values.
 *
 * A row is the number of its fields, then for each its length (-1: null) and its bytes; after the last row comes -1.
 */
export class CopyReader {
  /** Rows since the group began. */
  rows = 0
  /** Bytes of them. */
  bytes = 0
  private rest: Buffer = Buffer.alloc(0)
  private isInHeader = true

  constructor(private readonly columns: readonly Column[]) {}

  push(piece: Buffer): void {
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, piece]) : piece
  }

  /** Reads the whole rows that there are, until the group holds so many, or so many bytes. @returns whether it does */
  fill(most: RowGroupSize): boolean {
    const { rest } = this
    let offset = 0
    if (this.isInHeader && rest.length >= HEADER_BYTES) {
      offset = HEADER_BYTES
      this.isInHeader = false
    }
    while (!this.isInHeader && this.rows < most.rows && this.bytes < most.bytes) {
      const end = this.endOfRow(offset)
      if (end === undefined) break
      if (end > offset + 2) this.readRow(offset)
      this.bytes += end - offset
      offset = end
    }
    this.rest = rest.subarray(offset)
    return this.rows >= most.rows || this.bytes >= most.bytes
  }

  startGroup(): void {
    this.rows = 0
    this.bytes = 0
  }

  /** `undefined`: the row is not whole yet. */
  private endOfRow(start: number): number | undefined {
    const { rest } = this
    if (start + 2 > rest.length) return undefined
    const fields = rest.readInt16BE(start)
    if (fields !== -1 && fields !== this.columns.length) {
      throw new TypeError(`COPY sent ${fields} fields instead of ${this.columns.length}.`)
    }
    let offset = start + 2
    for (let field = 0; field < fields; field++) {
      if (offset + 4 > rest.length) return undefined
      offset += 4 + Math.max(rest.readInt32BE(offset), 0)
    }
    return offset > rest.length ? undefined : offset
  }

  private readRow(start: number): void {
    const { rest, columns } = this
    let offset = start + 2
    for (const column of columns) {
      const length = rest.readInt32BE(offset)
      offset += 4
      column.add(rest, offset, length)
      if (length > 0) offset += length
    }
    this.rows++
  }
}
