/** After so many values it is known whether they repeat themselves. */
const TRIAL = 4096

/** Numbers of values by their hashes; at most half of the places are taken. */
export class HashTable {
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
