import type { RoomReport } from '../archive/archive-room'
import type { ArchiveContext } from '../archive/context'
import { work } from '../archive/work'
import { describeError } from '../errors'

export interface KeptWorker {
  /** Settles once it was told to stop, and has no room in hand. */
  readonly ended: Promise<void>
  /** Why rooms are not archived as they should be; `undefined` if they are. */
  problem(): string | undefined
}

/** What was wrong may have been mended elsewhere: rights, the clock, LCIC itself. */
const RESTART_MS = 60_000

/** A worker that has failed counts as well again once it has archived a room, or has lived for so long. */
const WELL_AGAIN_MS = 300_000

/** A worker looks for rooms each second, waits seconds for a lost database, and renews leases each 20 s at least. */
const SILENT_MS = 120_000

/** A worker that goes on until it is told to stop, and starts again where it had to give up. */
export function keepWorking(
  context: ArchiveContext,
  { signal, onReport }: { signal: AbortSignal; onReport: (report: RoomReport) => void },
): KeptWorker {
  const { clock, log } = context
  let failure: string | undefined
  let startedAt = clock.now()
  let heardAt = startedAt
  const watched: ArchiveContext = {
    ...context,
    // Whatever a worker does, it asks for the time.
    now() {
      heardAt = clock.now()
      return context.now()
    },
  }

  async function workOn(): Promise<void> {
    while (!signal.aborted) {
      startedAt = heardAt = clock.now()
      try {
        await work(watched, {
          until: 'stopped',
          signal,
          onReport(report) {
            failure = undefined
            onReport(report)
          },
        })
      } catch (error) {
        const { code, message } = describeError(error)
        failure = message
        log.error({ err: error, code, restartInMs: RESTART_MS }, 'the worker stopped')
        await clock.sleep(RESTART_MS, signal).catch(() => undefined)
      }
    }
  }

  return {
    ended: workOn(),
    problem() {
      const now = clock.now()
      const isWell = now - startedAt > RESTART_MS + WELL_AGAIN_MS
      if (failure !== undefined && !isWell) return `it stopped, and starts again each minute: ${failure}`
      const silentMs = now - heardAt
      return silentMs > SILENT_MS ? `it has not been heard of for ${Math.round(silentMs / 1000)} s` : undefined
    },
  }
}
