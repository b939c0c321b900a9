import type { Writer } from 'hyparquet-writer/src/types.js'
import type { Parquet } from './parquet'

/** Levels: how much of a row's value is there, and whether it goes on a list. */
export class Levels {
  count = 0
  nulls = 0
  definitions = new Uint8Array(1024)
  repetitions = new Uint8Array(1024)

  /** @param most the level of a value that is there */
  constructor(readonly most: number) {}

  add(definition: number, repetition: number): void {
    if (this.count === this.definitions.length) {
      this.definitions = doubled(this.definitions)
      this.repetitions = doubled(this.repetitions)
    }
    this.definitions[this.count] = definition
    this.repetitions[this.count++] = repetition
    if (definition < this.most) this.nulls++
  }

  /** As data pages of version 1 begin. */
  write(page: Writer, { ByteWriter, writeRleBitPackedHybrid }: Parquet): void {
    const kinds = this.most === 1 ? [this.definitions] : [this.repetitions, this.definitions]
    for (const levels of kinds) {
      const bits = levels === this.repetitions ? 1 : Math.ceil(Math.log2(this.most + 1))
      const encoded = new ByteWriter()
      writeRleBitPackedHybrid(encoded, levels.subarray(0, this.count), bits)
      page.appendUint32(encoded.offset)
      page.appendBytes(encoded.getBytes())
    }
  }

  clear(): void {
    this.count = 0
    this.nulls = 0
  }
}

export function doubled(levels: Uint8Array): Uint8Array<ArrayBuffer> {
  const twice = new Uint8Array(levels.length * 2)
  twice.set(levels)
  return twice
}
