import type { Rows } from './copy-reader'
import type { Dictionary } from './dictionary'
import { HashTable } from './hash-table'

/** How a value of four or eight bytes becomes what Parquet stores. */
export interface Shift {
  readonly low: number
  readonly high: number
}

export type NumberKind = 'int32' | 'int64' | 'double'

/** Values of four or eight bytes. */
export class NumberDictionary implements Dictionary {
  size = 0
  private readonly table = new HashTable()
  /** Low and high words in turn, or low ones alone. */
  private words = new Int32Array(512)
  private readonly stride: 1 | 2
  private latest = 0

  /** @param shift is added to each value */
  constructor(
    private readonly kind: NumberKind,
    private readonly shift?: Shift,
  ) {
    this.stride = kind === 'int32' ? 1 : 2
  }

  indexOf({ view }: Rows, offset: number): number {
    let high = 0
    let low = view.getInt32(offset)
    if (this.stride === 2) {
      high = low
      low = view.getInt32(offset + 4)
    }
    if (this.shift) {
      const sum = (low >>> 0) + this.shift.low
      low = sum | 0
      high = (high + this.shift.high + (sum > 0xffff_ffff ? 1 : 0)) | 0
    }
    // Most columns repeat themselves, room by room.
    if (this.latest < this.size && this.is(this.latest, low, high)) return this.latest
    const { table } = this
    if (table.isUseless) {
      this.latest = this.append(low, high)
      return this.latest
    }
    let place = table.place(hashOfWords(low, high))
    let index = table.at(place)
    while (index >= 0 && !this.is(index, low, high)) {
      place = table.next(place)
      index = table.at(place)
    }
    this.latest = index >= 0 ? index : this.add(place, low, high)
    return this.latest
  }

  private is(index: number, low: number, high: number): boolean {
    const { words, stride } = this
    return words[index * stride] === low && (stride === 1 || words[index * 2 + 1] === high)
  }

  private add(place: number, low: number, high: number): number {
    const index = this.append(low, high)
    this.table.put(place, index)
    this.table.reserve(this.size, (at) => hashOfWords(this.low(at), this.high(at)))
    return index
  }

  private append(low: number, high: number): number {
    const index = this.size++
    if (this.size * this.stride > this.words.length) {
      const words = new Int32Array(this.words.length * 2)
      words.set(this.words)
      this.words = words
    }
    this.words[index * this.stride] = low
    if (this.stride === 2) this.words[index * 2 + 1] = high
    return index
  }

  private low(index: number): number {
    return this.words[index * this.stride] ?? 0
  }

  private high(index: number): number {
    return this.stride === 2 ? (this.words[index * 2 + 1] ?? 0) : 0
  }

  plain(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, this.size * this.stride * 4)
  }

  sizeOf(indexes: Int32Array): number {
    return indexes.length * this.stride * 4
  }

  expand(indexes: Int32Array): Uint8Array {
    const { words, stride } = this
    const expanded = new Int32Array(indexes.length * stride)
    for (let value = 0; value < indexes.length; value++) {
      const index = (indexes[value] ?? 0) * stride
      expanded[value * stride] = words[index] ?? 0
      if (stride === 2) expanded[value * 2 + 1] = words[index + 1] ?? 0
    }
    return new Uint8Array(expanded.buffer)
  }

  bounds() {
    const bytes = this.plain()
    const view = new DataView(bytes.buffer, 0, bytes.length)
    let min: number | bigint | undefined
    let max: number | bigint | undefined
    for (let index = 0; index < this.size; index++) {
      const value =
        this.kind === 'int32'
          ? view.getInt32(index * 4, true)
          : this.kind === 'int64'
            ? view.getBigInt64(index * 8, true)
            : view.getFloat64(index * 8, true)
      if (Number.isNaN(value)) continue
      if (min === undefined || value < min) min = value
      if (max === undefined || value > max) max = value
    }
    if (min === undefined || max === undefined) return undefined
    // Whichever zero comes first stands for both.
    return { min: min === 0 ? -0 : min, max: max === 0 ? 0 : max }
  }

  clear(): void {
    this.size = 0
    this.table.clear()
  }
}

function hashOfWords(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1)
  return mixed ^ (mixed >>> 16)
}
