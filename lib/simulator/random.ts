/** A source of reproducible draws: the same seeds give the same sequence on every machine. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number
  /** True with probability `share`. */
  chance(share: number): boolean
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T
}

/**
 * Seeds mulberry32 with a hash of all `seeds`. Giving each thing its own seeds (`'members', roomId`) keeps it the same
 * whatever else is drawn before it, and in whatever order requests arrive.
 */
export function randomFrom(...seeds: readonly (string | number | bigint)[]): Random {
  let state = hashOf(seeds.join('\u0000'))
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (share) => next() < share,
    pick(items) {
      const index = Math.floor(next() * items.length)
      if (index >= items.length) throw new RangeError('There is nothing to pick from')
      return items[index] as (typeof items)[number]
    },
  }
}

/** FNV-1a, finished as murmur3 does, so that neighbouring seeds (1, 2, 3 …) start far apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}
