import type { ArchiveContext } from '../archive/context'
import type { SweepOptions } from '../archive/sweep'
import { sweepAndDescribe } from '../archive/sweep-and-describe'
import { describeError } from '../errors'

export interface SweepingOptions extends Pick<SweepOptions, 'sdkAppIds' | 'lookbackMs'> {
  /** From the start of one sweep to that of the next. */
  readonly everyMs: number
  readonly signal: AbortSignal
}

/** Sweeps at once and then regularly, until told to stop. What one sweep could not see, the next one looks for. */
export async function keepSweeping(context: ArchiveContext, { everyMs, ...options }: SweepingOptions): Promise<void> {
  const { clock, log } = context
  const { signal } = options
  while (!signal.aborted) {
    const startedAt = clock.now()
    try {
      await sweepAndDescribe(context, options)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error, code: describeError(error).code }, 'a sweep failed')
    }
    await clock.sleep(startedAt + everyMs - clock.now(), signal).catch(() => undefined)
  }
}
