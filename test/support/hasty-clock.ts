import { type Clock, systemClock } from '../../lib/clock'

let slept = 0

/** The machine's time, on which nobody waits: whoever sleeps puts it forward. */
export const hastyClock: Clock = {
  now: () => systemClock.now() + slept,
  async sleep(durationMs, signal) {
    await new Promise(setImmediate)
    signal?.throwIfAborted()
    slept += Math.max(0, durationMs)
  },
}

/** Has it show the machine's time again. */
export function resetHastyClock(): void {
  slept = 0
}
