import type { Rows } from './copy-reader'
import type { Dictionary } from './dictionary'
import { HashTable } from './hash-table'

/** Texts. */
export class TextDictionary implements Dictionary {
  size = 0
  private readonly table = new HashTable()
  /** Each with its length, four bytes, before it. */
  private bytes = Buffer.alloc(4096)
  private starts = new Int32Array(256)
  private latest = 0

  indexOf({ buffer }: Rows, offset: number, length: number): number {
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

function hashOfBytes(buffer: Buffer, offset: number, length: number): number {
  let hash = 0x811c_9dc5
  for (let at = offset; at < offset + length; at++) hash = Math.imul(hash ^ (buffer[at] ?? 0), 0x0100_0193)
  return hash
}
