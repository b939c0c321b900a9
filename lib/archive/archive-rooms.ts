import { linkedController } from '../abort'
import { archiveRoom, type RoomReport } from './archive-room'
import type { ArchiveContext, Patience } from './context'

/** Rooms pulled at once: with small rooms, what is asked of them together uses the whole budget. */
const ROOMS_AT_ONCE = 8

/**
 * Archives several rooms, some at a time; one that waits or fails delays no other.
 *
 * @param onReport told of each room as it is done
 * @returns the reports in the order of `roomIds`; rooms that were not begun by the deadline have none
 * @throws the first error that is not a room's own (no database, refused credentials, an abort); no further room is
 *   begun then, and those under way are given back
 */
export async function archiveRooms(
  context: ArchiveContext,
  roomIds: readonly bigint[],
  patience: Patience,
  onReport: (report: RoomReport) => void = () => undefined,
): Promise<RoomReport[]> {
  const stop = linkedController(patience.signal)
  const { deadline = Number.POSITIVE_INFINITY } = patience
  const reports: RoomReport[] = []
  const queue = roomIds.entries()

  async function work(): Promise<void> {
    for (const [index, roomId] of queue) {
      stop.signal.throwIfAborted()
      if (context.clock.now() >= deadline) return
      const report = await archiveRoom(context, roomId, { ...patience, signal: stop.signal })
      reports[index] = report
      onReport(report)
    }
  }

  const workers = Array.from({ length: Math.min(ROOMS_AT_ONCE, roomIds.length) }, work)
  try {
    await Promise.all(workers)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(workers)
    throw error
  } finally {
    stop.unlink()
  }
  return Object.values(reports)
}
