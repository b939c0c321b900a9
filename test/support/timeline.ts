import type { ArchiveContext } from '../../lib/archive/context'
import { sweep } from '../../lib/archive/sweep'
import { work } from '../../lib/archive/work'
import type { Clock } from '../../lib/clock'
import { hintRooms } from '../../lib/db/hint-rooms'
import { nextDueInMs } from '../../lib/db/leases'
import { type RoomDescription, School, type SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from './archive'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** When every timeline begins. */
export const beginning = Date.parse('2026-03-02T08:00:00Z')

/** An archive, and a school, on a clock that jumps from one event to the next. */
export interface Timeline extends TestArchive {
  readonly clock: Clock & { time: number }
  /** Has something happen then. */
  at(time: number, event: () => Promise<unknown> | unknown): void
  /** Adds a class. Times are milliseconds; it is planned for 45 minutes. */
  addClass(room: ClassDescription): SimulatedRoom
  /** Lets time pass: due jobs are worked off, sweeps made, events happen. */
  runUntil(time: number): Promise<void>
  /** Times at which the archive asked for a room's statistics. */
  asked(roomId: bigint): number[]
}

export interface ClassDescription extends RoomDescription {
  /** When it is planned to end, and does, unless it overruns. */
  readonly endAt: number
  readonly overrunMs?: number
  readonly readyAfterMs?: number
  /** Whether the callback that it ended arrives. */
  readonly callback?: boolean
}

export async function openTimeline({
  sweepEveryMs = 10 * MINUTE,
  ...options
}: { readonly sweepEveryMs?: number } & Parameters<typeof openTestArchive>[0] = {}): Promise<Timeline> {
  const clock = {
    time: beginning,
    now: () => clock.time,
    async sleep(durationMs: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      clock.time += Math.max(0, durationMs)
    },
  }
  const school = new School({ nowMs: beginning })
  const archive = await openTestArchive({
    ...options,
    clock,
    schoolClock: clock,
    school,
    arrivalClock: clock,
  })
  const { context } = archive
  const events: { time: number; event: () => Promise<unknown> | unknown }[] = []
  let nextSweep = sweepEveryMs > 0 ? beginning : Number.POSITIVE_INFINITY

  async function happen(): Promise<void> {
    for (;;) {
      const index = events.findIndex(({ time }) => time <= clock.time)
      const [due] = index === -1 ? [] : events.splice(index, 1)
      if (!due) break
      await due.event()
    }
    if (nextSweep <= clock.time) {
      nextSweep = clock.time + sweepEveryMs
      await sweepOnce(context, school)
    }
    await work(context, { until: 'nothing_due', roomsAtOnce: 1, requestTimeoutMs: 1000 })
  }

  const timeline: Timeline = {
    ...archive,
    clock,
    at(time, event) {
      events.push({ time, event })
      events.sort((a, b) => a.time - b.time)
    },
    addClass({ endAt, overrunMs = 0, readyAfterMs = 0, callback = true, ...room }) {
      const realEndAt = (endAt + overrunMs) / 1000
      const added = school.addRoom({
        members: 5,
        scheduledEndAt: endAt / 1000,
        realEndAt,
        readyAt: realEndAt + readyAfterMs / 1000,
        ...room,
      })
      if (callback) timeline.at(realEndAt * 1000, () => callBack(context, added.roomId))
      return added
    },
    async runUntil(end) {
      for (;;) {
        await happen()
        const dueMs = await nextDueInMs(archive.db, { now: context.now() })
        // One that is due and was not taken is in somebody's hand.
        const dueAt = dueMs === undefined ? Number.POSITIVE_INFINITY : clock.time + (dueMs > 0 ? dueMs : 10_000)
        const next = Math.min(dueAt, nextSweep, events[0]?.time ?? Number.POSITIVE_INFINITY)
        if (next > end) break
        clock.time = Math.max(clock.time, Math.ceil(next))
      }
      clock.time = Math.max(clock.time, end)
    },
    asked(roomId) {
      const requests = archive.simulator.requests.filter(
        (request) => request.roomId === roomId && request.action === 'DescribeRoomStatistics',
      )
      return requests.map(({ arrivedAtMs }) => arrivedAtMs)
    },
  }
  return timeline
}

export function sweepOnce(context: ArchiveContext, school: School) {
  return sweep(context, { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * HOUR })
}

export function callBack({ db, now }: ArchiveContext, roomId: bigint): Promise<number> {
  return hintRooms(db, { hints: [{ roomId }], hintedBy: 'callback', now: now() })
}
