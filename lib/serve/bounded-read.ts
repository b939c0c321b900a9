import type { Clock } from '../clock'

export interface BoundedReadOptions<T> {
  readonly read: () => Promise<T>
  readonly clock: Pick<Clock, 'now'>
  /** An outcome, good or bad, is given again for so long. */
  readonly freshMs: number
  /** Nobody waits longer than this. */
  readonly withinMs: number
}

/** Nine tenths of the time, at least, the database has its peace: what took long is asked for less often. */
const PEACE = 9

/**
 * Something that is costly to read, for askers that may come as often as they like: it is read by one at a time, and not
 * again within a while.
 *
 * @returns what gives it; that rejects with what reading it failed with, or when that takes too long
 */
export function boundedRead<T>({ read, clock, freshMs, withinMs }: BoundedReadOptions<T>): () => Promise<T> {
  let reading: Promise<T> | undefined
  let freshUntil = Number.NEGATIVE_INFINITY

  function readAnew(): Promise<T> {
    const startedAt = clock.now()
    freshUntil = Number.POSITIVE_INFINITY
    const outcome = read()
    outcome.then(
      () => {
        const endedAt = clock.now()
        freshUntil = endedAt + Math.max(freshMs, PEACE * (endedAt - startedAt))
      },
      () => {
        freshUntil = clock.now() + freshMs
      },
    )
    return outcome
  }

  return () => {
    if (!reading || clock.now() >= freshUntil) reading = readAnew()
    return within(reading, withinMs)
  }
}

/** @throws {Error} if it is not settled within so many milliseconds */
async function within<T>(promise: Promise<T>, mostMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${mostMs / 1000} s`)), mostMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
