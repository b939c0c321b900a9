import type { ColumnChunk, SchemaElement } from 'hyparquet'
import type { Writer } from 'hyparquet-writer/src/types.js'
import { Chunk } from './chunk'
import type { Rows } from './copy-reader'
import type { Dictionary } from './dictionary'
import { doubled, Levels } from './levels'
import type { Parquet } from './parquet'

/** A column of a row group that is filled with values as PostgreSQL's COPY sends them, and then written. */
export interface Column {
  readonly name: string
  /** What the file's schema says of it. */
  readonly elements: readonly SchemaElement[]
  /** Takes the value of the next row; a length of -1 is null. */
  add(rows: Rows, offset: number, length: number): void
  /** Writes what was added, and forgets it. */
  write(writer: Writer, parquet: Parquet): ColumnChunk
}

/** Numbers and texts, or lists of texts. */
export class ValueColumn implements Column {
  private readonly levels: Levels
  /** For each value that is there, its number in the dictionary. */
  private indexes = new Int32Array(1024)
  private values = 0

  constructor(
    readonly name: string,
    readonly elements: readonly SchemaElement[],
    private readonly dictionary: Dictionary,
    private readonly isList: boolean,
  ) {
    this.levels = new Levels(isList ? 3 : 1)
  }

  add(rows: Rows, offset: number, length: number): void {
    if (length < 0) this.levels.add(0, 0)
    else if (this.isList) this.addList(rows, offset)
    else this.addValue(rows, offset, length, 0)
  }

  /** An array is its number of dimensions, flags, type, and each dimension's length and lower bound; then the elements. */
  private addList(rows: Rows, start: number): void {
    const { view } = rows
    const dimensions = view.getInt32(start)
    let offset = start + 12
    let elements = dimensions === 0 ? 0 : 1
    for (let dimension = 0; dimension < dimensions; dimension++, offset += 8) elements *= view.getInt32(offset)
    if (elements === 0) this.levels.add(1, 0)
    for (let element = 0; element < elements; element++) {
      const length = view.getInt32(offset)
      offset += 4
      const repetition = element === 0 ? 0 : 1
      if (length < 0) this.levels.add(2, repetition)
      else this.addValue(rows, offset, length, repetition)
      offset += Math.max(length, 0)
    }
  }

  private addValue(rows: Rows, offset: number, length: number, repetition: number): void {
    if (this.values === this.indexes.length) {
      const indexes = new Int32Array(this.indexes.length * 2)
      indexes.set(this.indexes)
      this.indexes = indexes
    }
    this.indexes[this.values++] = this.dictionary.indexOf(rows, offset, length)
    this.levels.add(this.levels.most, repetition)
  }

  write(writer: Writer, parquet: Parquet): ColumnChunk {
    const { dictionary, elements, levels } = this
    const indexes = this.indexes.subarray(0, this.values)
    const chunk = new Chunk(writer, parquet)
    const bits = Math.ceil(Math.log2(Math.max(dictionary.size, 1)))
    const plain = dictionary.plain()
    const plainSize = dictionary.sizeOf(indexes)
    const hasDictionary = plain.length + (indexes.length * bits) / 8 < plainSize
    if (hasDictionary) chunk.writeDictionary(plain, dictionary.size)

    const page = new parquet.ByteWriter((hasDictionary ? 0 : plainSize) + levels.count + 1024)
    levels.write(page, parquet)
    if (hasDictionary) {
      page.appendUint8(bits)
      parquet.writeRleBitPackedHybrid(page, indexes, bits)
    } else {
      page.appendBytes(dictionary.expand(indexes))
    }
    const written = chunk.writePage(page.getBytes(), elements, levels, dictionary.bounds())
    dictionary.clear()
    levels.clear()
    this.values = 0
    return written
  }
}

export class BooleanColumn implements Column {
  private readonly levels = new Levels(1)
  private bits = new Uint8Array(1024)
  private values = 0
  private trues = 0

  constructor(
    readonly name: string,
    readonly elements: readonly SchemaElement[],
  ) {}

  add(rows: Rows, offset: number, length: number): void {
    this.levels.add(length < 0 ? 0 : 1, 0)
    if (length < 0) return
    const byte = this.values >> 3
    if (byte === this.bits.length) this.bits = doubled(this.bits)
    if (rows.buffer[offset]) {
      this.bits[byte] = (this.bits[byte] ?? 0) | (1 << (this.values & 7))
      this.trues++
    }
    this.values++
  }

  write(writer: Writer, parquet: Parquet): ColumnChunk {
    const { elements, levels, values, trues } = this
    const chunk = new Chunk(writer, parquet)
    const page = new parquet.ByteWriter(levels.count + 1024)
    levels.write(page, parquet)
    page.appendBytes(this.bits.subarray(0, (values + 7) >> 3))
    const bounds = values > 0 ? { min: trues === values, max: trues > 0 } : undefined
    const written = chunk.writePage(page.getBytes(), elements, levels, bounds)
    this.bits.fill(0)
    levels.clear()
    this.values = 0
    this.trues = 0
    return written
  }
}
