import fc from 'fast-check'
import { expect, test } from 'vitest'
import { claimDueRooms } from '../../lib/db/leases'
import { readStatus } from '../../lib/db/read-status'
import type { FaultRequest, SimulatedRoom } from '../../lib/simulator'
import { beginning, callBack, DAY, HOUR, MINUTE, openTimeline, type Timeline } from '../support/timeline'
import { expectTruth } from '../support/truth'

/** What happens to one class; hours. */
interface ClassHistory {
  readonly fate: 'held' | 'missing' | 'expired'
  readonly endsAfter: number
  readonly overruns: number
  readonly readyAfter: number
  /** When callbacks arrive, counted from its end: early, late, twice, or never. */
  readonly callbacks: readonly number[]
}

interface History {
  readonly classes: readonly ClassHistory[]
  /** When LCIC does not list rooms; hours, each for six. */
  readonly listingFails: readonly number[]
  /** One in so many requests for statistics fails; 0: none. */
  readonly oneInFails: number
  /** When a worker takes what is due, and dies. */
  readonly deaths: readonly number[]
}

const hours = (most: number) =>
  fc.double({ min: 0, max: most, noNaN: true }).map((value) => Math.round(value * 10) / 10)

const histories: fc.Arbitrary<History> = fc.record({
  classes: fc.array(
    fc.record({
      fate: fc.constantFrom('held', 'held', 'held', 'missing', 'expired'),
      endsAfter: hours(40),
      overruns: hours(4),
      readyAfter: hours(6),
      callbacks: fc.array(
        hours(4).map((value) => value - 1),
        { maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  listingFails: fc.array(hours(40), { maxLength: 3 }),
  oneInFails: fc.constantFrom(0, 2, 3, 7),
  deaths: fc.array(hours(48), { maxLength: 4 }),
})

async function live(timeline: Timeline, history: History): Promise<SimulatedRoom[]> {
  const { context, db, clock, simulator } = timeline
  const rooms = history.classes.map(({ fate, endsAfter, overruns, readyAfter, callbacks }) => {
    const endAt = beginning + HOUR + endsAfter * HOUR
    const overrunMs = overruns * HOUR
    const room = timeline.addClass({ fate, endAt, overrunMs, readyAfterMs: readyAfter * HOUR, callback: false })
    for (const callback of callbacks) {
      timeline.at(endAt + overrunMs + callback * HOUR, () => callBack(context, room.roomId))
    }
    return room
  })
  for (const death of history.deaths) {
    timeline.at(beginning + death * HOUR, () =>
      claimDueRooms(db, { holder: `elsewhere:1:${death}`, now: context.now(), limit: 10 }),
    )
  }
  simulator.setFaults(({ action, sequence }: FaultRequest) => {
    if (action === 'GetRooms') {
      const now = (clock.now() - beginning) / HOUR
      const fails = history.listingFails.some((from) => now >= from && now < from + 6)
      return fails ? { kind: 'error', code: 'InternalError' } : undefined
    }
    const fails = history.oneInFails > 0 && sequence % history.oneInFails === 0
    return fails ? { kind: 'error', code: 'FailedOperation.RequestTimedOut' } : undefined
  })
  await timeline.runUntil(beginning + 4.5 * DAY)
  return rooms
}

test('whatever happens to classes, callbacks, sweeps and workers, in the end each room is archived once, or it stands why not', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const timeline = await openTimeline({ sweepEveryMs: 3 * HOUR + 7 * MINUTE })
      try {
        const rooms = await live(timeline, history)
        for (const room of rooms) {
          const { roomId, fate } = room
          const job = await timeline.db
            .selectFrom('archive.jobs')
            .select(['state', 'leased_by', 'last_error_code'])
            .where('room_id', '=', roomId)
            .executeTakeFirstOrThrow()
          if (fate !== 'held') {
            expect(job).toMatchObject({ state: fate, last_error_code: expect.any(String) })
            continue
          }
          expect(job).toEqual({ state: 'archived', leased_by: null, last_error_code: null })
          await expectTruth(timeline.db, room)
          const runs = await timeline.db
            .selectFrom('archive.runs')
            .select('outcome')
            .where('room_id', '=', roomId)
            .where('outcome', 'in', ['archived', 'unchanged'])
            .execute()
          expect(runs).toEqual([{ outcome: 'archived' }])
        }
        const { days, waiting } = await readStatus(timeline.db, { now: timeline.context.now() })
        expect(waiting).toEqual([])
        expect(days.map(({ gap }) => gap)).toEqual(days.map(() => 0))
        expect(days.reduce((sum, { ended }) => sum + ended, 0)).toBe(rooms.length)
      } finally {
        await timeline.close()
      }
    }),
    { numRuns: 14 },
  )
}, 180_000)
