import type { Column } from './column'
import type { RowGroupSize } from './write-part'

/** Rows as they were sent, whole ones and the beginning of another. A view of bytes reads numbers faster than a buffer does. */
export interface Rows {
  readonly buffer: Buffer
  readonly view: DataView
}

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
  private received = rowsOf(Buffer.alloc(128 * 1024))
  /** What is there of them, and not read yet. */
  private start = 0
  private end = 0
  private isInHeader = true

  constructor(private readonly columns: readonly Column[]) {}

  push(piece: Buffer): void {
    const { buffer } = this.received
    const left = buffer.subarray(this.start, this.end)
    const length = left.length + piece.length
    if (length > buffer.length) this.received = rowsOf(Buffer.alloc(length * 2))
    left.copy(this.received.buffer)
    piece.copy(this.received.buffer, left.length)
    this.start = 0
    this.end = length
  }

  /** Reads the whole rows that there are, until the group holds so many, or so many bytes. @returns whether it does */
  fill(most: RowGroupSize): boolean {
    if (this.isInHeader && this.end - this.start >= HEADER_BYTES) {
      this.start += HEADER_BYTES
      this.isInHeader = false
    }
    while (!this.isInHeader && this.rows < most.rows && this.bytes < most.bytes) {
      const end = this.endOfRow()
      if (end === undefined) break
      if (end > this.start + 2) this.readRow()
      this.bytes += end - this.start
      this.start = end
    }
    return this.rows >= most.rows || this.bytes >= most.bytes
  }

  startGroup(): void {
    this.rows = 0
    this.bytes = 0
  }

  /** `undefined`: the row is not whole yet. */
  private endOfRow(): number | undefined {
    const { view } = this.received
    let offset = this.start + 2
    if (offset > this.end) return undefined
    const fields = view.getInt16(this.start)
    if (fields !== -1 && fields !== this.columns.length) {
      throw new TypeError(`COPY sent ${fields} fields instead of ${this.columns.length}.`)
    }
    for (let field = 0; field < fields; field++) {
      if (offset + 4 > this.end) return undefined
      offset += 4 + Math.max(view.getInt32(offset), 0)
    }
    return offset > this.end ? undefined : offset
  }

  private readRow(): void {
    const { received, columns } = this
    let offset = this.start + 2
    for (const column of columns) {
      const length = received.view.getInt32(offset)
      offset += 4
      column.add(received, offset, length)
      if (length > 0) offset += length
    }
    this.rows++
  }
}

function rowsOf(buffer: Buffer): Rows {
  return { buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length) }
}
