/**
 * The different values of a column in a row group, in the order they came, as Parquet stores them. Where nearly all are
 * different, the same one may be there more than once.
 */
export interface Dictionary {
  readonly size: number
  /** The number of the value that `buffer` holds there as PostgreSQL sends it; a new one, if it is new. */
  indexOf(buffer: Buffer, offset: number, length: number): number
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

/** After so many values it is known whether they repeat themselves. */
const TRIAL = 4096

/** Numbers of values by their hashes; at most half of the places are taken. */
class HashTable {
  private slots = new Int32Array(1024)
  private asked = 0
  /** Nearly every value is new, and looking for it only takes time: who adds one need not {@link put} it. */
  isUseless = false

  /** Where to look first. */
  place(hash: number): number {
    this.asked++
    return this.first(hash)
  }

  private first(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.slots.length - 1)
  }

  next(place: number): number {
    return (place + 1) & (this.slots.length - 1)
  }

  /** -1: nothing is there. */
  at(place: number): number {
    return (this.slots[place] ?? 0) - 1
  }

  put(place: number, index: number): void {
    this.slots[place] = index + 1
  }

  /** Makes room for another value; `hashOf` tells where those that are there belong. */
  reserve(size: number, hashOf: (index: number) => number): void {
    if (size === TRIAL && this.asked < TRIAL * 1.25) this.isUseless = true
    if (size * 2 < this.slots.length || this.isUseless) return
    this.slots = new Int32Array(this.slots.length * 4)
    for (let index = 0; index < size; index++) {
      let place = this.first(hashOf(index))
      while (this.at(place) >= 0) place = this.next(place)
      this.put(place, index)
    }
  }

  clear(): void {
    this.slots.fill(0)
    this.asked = 0
    this.isUseless = false
  }
}

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

  indexOf(buffer: Buffer, offset: number): number {
    let high = 0
    let low = buffer.readInt32BE(offset)
    if (this.stride === 2) {
      high = low
      low = buffer.readInt32BE(offset + 4)
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

/** Texts. */
export class TextDictionary implements Dictionary {
  size = 0
  private readonly table = new HashTable()
  /** Each with its length, four bytes, before it. */
  private bytes = Buffer.alloc(4096)
  private starts = new Int32Array(256)
  private latest = 0

  indexOf(buffer: Buffer, offset: number, length: number): number {
    if (this.latest < this.size && this.is(this.latest, buffer, offset, length)) return this.latest
    const { table } = this
    if (table.isUseless) {
      this.latest = this.append(buffer, offset, length)
      return this.latest
    }
    let place = table.place(hashOfBytes(buffer, offset, length))
    let index = table.at(place)
    while (index >= 0 && !this.is(index, buffer, offset, length)) {
      place = table.next(place)
      index = table.at(place)
    }
    this.latest = index >= 0 ? index : this.add(place, buffer, offset, length)
    return this.latest
  }

  private is(index: number, buffer: Buffer, offset: number, length: number): boolean {
    const first = (this.starts[index] ?? 0) + 4
    if (this.end(index) - first !== length) return false
    for (let at = 0; at < length; at++) if (this.bytes[first + at] !== buffer[offset + at]) return false
    return true
  }

  private end(index: number): number {
    return this.starts[index + 1] ?? 0
  }

  private add(place: number, buffer: Buffer, offset: number, length: number): number {
    const index = this.append(buffer, offset, length)
    this.table.put(place, index)
    this.table.reserve(this.size, (at) => {
      const first = (this.starts[at] ?? 0) + 4
      return hashOfBytes(this.bytes, first, this.end(at) - first)
    })
    return index
  }

  private append(buffer: Buffer, offset: number, length: number): number {
    const index = this.size++
    if (this.size + 1 > this.starts.length) {
      const starts = new Int32Array(this.starts.length * 2)
      starts.set(this.starts)
      this.starts = starts
    }
    const start = this.starts[index] ?? 0
    const end = start + 4 + length
    if (end > this.bytes.length) {
      const bytes = Buffer.alloc(Math.max(this.bytes.length * 2, end))
      this.bytes.copy(bytes, 0, 0, start)
      this.bytes = bytes
    }
    this.bytes.writeInt32LE(length, start)
    buffer.copy(this.bytes, start + 4, offset, offset + length)
    this.starts[this.size] = end
    return index
  }

  plain(): Uint8Array {
    return this.bytes.subarray(0, this.starts[this.size] ?? 0)
  }

  sizeOf(indexes: Int32Array): number {
    let size = 0
    for (const index of indexes) size += this.end(index) - (this.starts[index] ?? 0)
    return size
  }

  expand(indexes: Int32Array): Uint8Array {
    const expanded = new Uint8Array(this.sizeOf(indexes))
    let offset = 0
    for (const index of indexes) {
      const start = this.starts[index] ?? 0
      const end = this.end(index)
      this.bytes.copy(expanded, offset, start, end)
      offset += end - start
    }
    return expanded
  }

  bounds() {
    let min: Buffer | undefined
    let max: Buffer | undefined
    for (let index = 0; index < this.size; index++) {
      // UTF-8 sorts as the characters do.
      const value = this.bytes.subarray((this.starts[index] ?? 0) + 4, this.end(index))
      if (!min || Buffer.compare(value, min) < 0) min = value
      if (!max || Buffer.compare(value, max) > 0) max = value
    }
    return min && max ? { min: Uint8Array.from(min), max: Uint8Array.from(max) } : undefined
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

function hashOfBytes(buffer: Buffer, offset: number, length: number): number {
  let hash = 0x811c_9dc5
  for (let at = offset; at < offset + length; at++) hash = Math.imul(hash ^ (buffer[at] ?? 0), 0x0100_0193)
  return hash
}
