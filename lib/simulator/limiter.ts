/** A limit of requests in any second, wherever that second begins. */
export interface SlidingSecond {
  /**
   * Counts a request that arrived at `arrivedAtMs`.
   *
   * @returns undefined if it is admitted, else how many requests the fullest second would have held with it. A refused
   *   request does not count against later ones.
   */
  admit(arrivedAtMs: number): number | undefined
}

/**
 * A limiter whose invariant is: no half-open window [t, t + 1000 ms) holds more than `limit` admitted arrivals. 0 and
 * Infinity mean no limit. How the real gateway counts refused requests is not documented; here they cost nothing.
 */
export function slidingSecond(limit: number): SlidingSecond {
  if (limit === 0 || limit === Number.POSITIVE_INFINITY) return { admit: () => undefined }
  if (!Number.isInteger(limit) || limit < 0) throw new RangeError(`A limit of ${limit} requests a second is no limit`)
  // In ascending order. A request counts when its headers arrive but is judged once its body has: nearly sorted input.
  const admitted: number[] = []
  return {
    admit(arrivedAtMs) {
      let place = admitted.length
      while (place > 0 && (admitted[place - 1] ?? 0) > arrivedAtMs) place -= 1
      admitted.splice(place, 0, arrivedAtMs)
      // A window is too full exactly if the arrival `limit` places after its first one is still within the second.
      for (let first = Math.max(0, place - limit); first <= place; first += 1) {
        const beyond = admitted[first + limit]
        if (beyond === undefined) break
        if (beyond - (admitted[first] ?? 0) < windowMs) {
          admitted.splice(place, 1)
          return limit + 1
        }
      }
      if (admitted.length > 2 * limit + 1000) admitted.splice(0, admitted.length - limit - 500)
      return undefined
    },
  }
}

/** The most entries that arrived within any half-open window of one second: what a limit of that many would just admit. */
export function mostInAnySlidingSecond(entries: readonly { arrivedAtMs: number }[]): number {
  const arrivals = entries.map((entry) => entry.arrivedAtMs).sort((a, b) => a - b)
  let first = 0
  let most = 0
  arrivals.forEach((arrivedAtMs, last) => {
    while (arrivedAtMs - (arrivals[first] ?? 0) >= windowMs) first += 1
    most = Math.max(most, last - first + 1)
  })
  return most
}

const windowMs = 1000
