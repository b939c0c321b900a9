/** When the database was asked, what time it said it was, and when that was known here; milliseconds since the epoch. */
export interface ClockReading {
  readonly askedAt: number
  readonly serverNow: number
  readonly answeredAt: number
}

/** Tells the database's time by this process's clock. */
export interface ServerClock {
  /** @returns when it is `serverTime` there, by this process's clock: never too early, and late by as long as answers take */
  toLocal(serverTime: number, reading: ClockReading): number
}

/** Readings that are remembered. */
const READINGS = 8

/**
 * A reading says that the difference lies between `serverNow - answeredAt` and `serverNow - askedAt`; answers that came
 * quickly say it best, and the best of the last few is kept. So an answer that was long on its way, or a process that was
 * stopped meanwhile, is recognised as late.
 */
export function createServerClock(): ServerClock {
  const leastDifferences: number[] = []
  return {
    toLocal(serverTime, { askedAt, serverNow, answeredAt }) {
      if (leastDifferences.push(serverNow - answeredAt) > READINGS) leastDifferences.shift()
      const difference = Math.min(Math.max(...leastDifferences), serverNow - askedAt)
      return serverTime - difference
    },
  }
}
