import { setTimeout as delay } from 'node:timers/promises'

/** Where the time comes from. A parameter everywhere, so that tests pass their own and never sleep. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `durationMs`; rejects with the signal's reason as soon as it is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own time, as it was when the process started and has gone on since: it is never set. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  async sleep(durationMs, signal) {
    signal?.throwIfAborted()
    try {
      await delay(Math.max(0, durationMs), undefined, signal ? { signal } : {})
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
}
