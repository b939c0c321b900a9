import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { archiveRoom } from '../../lib/archive/archive-room'
import type { ArchiveContext } from '../../lib/archive/context'
import { describeRooms } from '../../lib/archive/describe-rooms'
import { readFailedRooms, readStatus } from '../../lib/db/read-status'
import { retryRooms } from '../../lib/db/retry-rooms'
import type { SimulatedRoom } from '../../lib/simulator'
import { testLog } from '../support/log-directory'
import { beginning, callBack, DAY, HOUR, MINUTE, openTimeline, sweepOnce, type Timeline } from '../support/timeline'
import { expectTruth } from '../support/truth'

let timeline: Timeline
let logged: Record<string, unknown>[]

async function open(options: Parameters<typeof openTimeline>[0] = {}): Promise<void> {
  logged = []
  const log = testLog((line) => {
    const event: Record<string, unknown> = JSON.parse(line)
    if (Number(event.level) >= 50) logged.push(event)
  })
  timeline = await openTimeline({ log, ...options })
}
beforeEach(() => open())
afterEach(() => timeline.close())

async function jobOf({ roomId }: SimulatedRoom) {
  return timeline.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
}

async function roomOf({ roomId }: SimulatedRoom) {
  return timeline.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
}

/** How long after its statistics were ready a room was archived, and for how many requests. */
async function costOf(room: SimulatedRoom): Promise<{ lagMs: number; requests: number }> {
  await expectTruth(timeline.db, room)
  const { archived_at } = await roomOf(room)
  return { lagMs: archived_at.getTime() - room.readyAt * 1000, requests: timeline.asked(room.roomId).length }
}

const end = beginning + HOUR

test('a room that is ready 3 h after its end is archived within 2 minutes, for at most 25 requests', async () => {
  const announced = timeline.addClass({ endAt: end, readyAfterMs: 3 * HOUR })
  const unannounced = timeline.addClass({ endAt: end + 7 * MINUTE, readyAfterMs: 3 * HOUR, callback: false })
  await timeline.runUntil(end + 4 * HOUR)
  for (const room of [announced, unannounced]) {
    const { lagMs, requests } = await costOf(room)
    expect(lagMs).toBeGreaterThanOrEqual(0)
    expect(lagMs).toBeLessThanOrEqual(2 * MINUTE)
    expect(requests).toBeLessThanOrEqual(25)
  }
})

describe.each([17, 167])('statistics that take %i minutes', (minutes) => {
  test('are archived within 2 minutes of being ready once some rooms have shown it, for at most 25 requests', async () => {
    const readyAfterMs = minutes * MINUTE
    const rooms = Array.from({ length: 5 }, (_, index) =>
      timeline.addClass({ endAt: end + index * 3 * HOUR, readyAfterMs, callback: index % 2 === 0 }),
    )
    await timeline.runUntil(end + 16 * HOUR)
    const costs = await Promise.all(rooms.map(costOf))
    for (const { lagMs, requests } of costs) {
      expect(lagMs).toBeGreaterThanOrEqual(0)
      expect(lagMs).toBeLessThanOrEqual(22 * MINUTE)
      expect(requests).toBeLessThanOrEqual(30)
    }
    for (const { lagMs, requests } of costs.slice(1)) {
      expect(lagMs).toBeLessThanOrEqual(2 * MINUTE)
      expect(requests).toBeLessThanOrEqual(25)
    }
  })
})

test('one that is never ready fails after a week, loudly, and can be tried again', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 6 * HOUR })
  const room = timeline.addClass({ endAt: end, readyAfterMs: 30 * DAY })
  await timeline.runUntil(end + 6.9 * DAY)
  expect(await jobOf(room)).toMatchObject({ state: 'pending', reason: 'not_ready' })
  await timeline.runUntil(end + 7.1 * DAY)
  expect(await jobOf(room)).toMatchObject({ state: 'failed', due_at: null, lease_until: null })
  const requests = timeline.asked(room.roomId)
  expect(requests.length).toBeLessThan(200)
  expect(logged).toContainEqual(
    expect.objectContaining({ roomId: String(room.roomId), msg: expect.stringContaining('given up') }),
  )
  const status = await readStatus(timeline.db, { now: timeline.context.now() })
  expect(status.days).toMatchObject([{ ended: 1, archived: 0, waiting: 0, failed: 1, gap: 0 }])
  expect(await readFailedRooms(timeline.db, { limit: 10 })).toMatchObject([{ roomId: room.roomId, state: 'failed' }])

  // Nobody asks any more, until somebody says so.
  await timeline.runUntil(end + 9 * DAY)
  expect(timeline.asked(room.roomId)).toEqual(requests)
  room.readyAt = 0
  await retryRooms(timeline.db, { rooms: 'failed', now: timeline.context.now() })
  await timeline.runUntil(end + 9.1 * DAY)
  await expectTruth(timeline.db, room)
})

test('a class that overruns by 3 h is not asked for before it is planned to end, and archived soon after it ends', async () => {
  const room = timeline.addClass({ endAt: end, overrunMs: 3 * HOUR, callback: false })
  await timeline.runUntil(end + 4 * HOUR)
  const { lagMs, requests } = await costOf(room)
  expect(timeline.asked(room.roomId)[0]).toBeGreaterThanOrEqual(end)
  // The next sweep sees that it has ended.
  expect(lagMs).toBeLessThanOrEqual(11 * MINUTE)
  expect(requests).toBeLessThanOrEqual(14)
})

test('a room that LCIC lists only 70 h after it was created is archived then', async () => {
  await timeline.close()
  await open({ sweepEveryMs: HOUR })
  const room = timeline.addClass({ endAt: end, callback: false, listed: false })
  timeline.at(end + 70 * HOUR, () => {
    room.listed = true
  })
  await timeline.runUntil(end + 70 * HOUR - MINUTE)
  expect(timeline.asked(room.roomId)).toEqual([])
  await timeline.runUntil(end + 71 * HOUR)
  expect((await costOf(room)).requests).toBe(1)
})

test('rooms whose callbacks are lost for a day are found by sweeps', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 20 * MINUTE })
  const rooms = Array.from({ length: 24 }, (_, hour) =>
    timeline.addClass({ endAt: end + hour * HOUR, readyAfterMs: MINUTE / 2, callback: false }),
  )
  await timeline.runUntil(end + 25 * HOUR)
  for (const room of rooms) {
    const { lagMs, requests } = await costOf(room)
    expect(lagMs).toBeLessThanOrEqual(21 * MINUTE)
    expect(requests).toBeLessThanOrEqual(6)
  }
})

test('sweeps that fail for a week are made up for by the next one', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 2 * HOUR })
  await timeline.runUntil(beginning + MINUTE)
  timeline.simulator.setFaults(({ action }) =>
    action === 'GetRooms' ? { kind: 'error', code: 'InternalError' } : undefined,
  )
  const rooms = Array.from({ length: 7 }, (_, day) => timeline.addClass({ endAt: end + day * DAY, callback: false }))
  await timeline.runUntil(end + 7 * DAY)
  expect(rooms.flatMap(({ roomId }) => timeline.asked(roomId))).toEqual([])
  timeline.simulator.setFaults(undefined)
  await timeline.runUntil(end + 7 * DAY + 2 * HOUR)
  for (const room of rooms) expect((await costOf(room)).requests).toBe(1)
}, 120_000)

test('a room that LCIC denies is missing only after a day, and one that comes back before is archived', async () => {
  await timeline.close()
  await open({ sweepEveryMs: HOUR })
  const gone = timeline.addClass({ endAt: end, fate: 'missing' })
  const back = timeline.addClass({ endAt: end, fate: 'missing' })
  timeline.at(end + 5 * HOUR, () => {
    back.fate = 'held'
  })
  await timeline.runUntil(end + 23 * HOUR)
  expect(await jobOf(gone)).toMatchObject({ state: 'pending', reason: 'gone' })
  await timeline.runUntil(end + 27 * HOUR)
  expect(await jobOf(gone)).toMatchObject({ state: 'missing', due_at: null })
  expect(timeline.asked(gone.roomId).length).toBeLessThanOrEqual(6)
  await expectTruth(timeline.db, back)
})

test('a room that was missing, and is named anew, is missing again only after another day', async () => {
  await timeline.close()
  await open({ sweepEveryMs: HOUR })
  const room = timeline.addClass({ endAt: end, fate: 'missing', listed: false })
  await timeline.runUntil(end + 30 * HOUR)
  expect(await jobOf(room)).toMatchObject({ state: 'missing' })
  room.listed = true
  timeline.at(end + 36 * HOUR, () => {
    room.fate = 'held'
  })
  await timeline.runUntil(end + 31 * HOUR)
  expect(await jobOf(room)).toMatchObject({ state: 'pending', reason: 'gone' })
  await timeline.runUntil(end + 48 * HOUR)
  await expectTruth(timeline.db, room)
})

test('a class that ends early is not put off to its planned end, though LCIC takes a while to learn that it has ended', async () => {
  const startedAt = { scheduledStartAt: (end - HOUR / 2) / 1000, realStartAt: (end - HOUR / 2) / 1000 }
  const room = timeline.addClass({ ...startedAt, endAt: end + 3 * HOUR, overrunMs: -2 * HOUR, callback: false })
  let lags = 2
  timeline.simulator.setFaults(({ action }) =>
    action === 'DescribeRoomStatistics' && lags-- > 0
      ? { kind: 'error', code: 'FailedOperation.RoomNotEnd' }
      : undefined,
  )
  await timeline.runUntil(end + 2 * HOUR)
  expect((await costOf(room)).lagMs).toBeLessThanOrEqual(30 * MINUTE)
})

test('a class that is moved by nine days is watched for the new day, found by asking what is planned', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 2 * HOUR })
  const room = timeline.addClass({ endAt: end, callback: false })
  await timeline.runUntil(end - HOUR / 2)
  // It had begun to be listed before it was moved.
  moveByNineDays(room)
  await timeline.runUntil(end + 9 * DAY + 3 * HOUR)
  const { requests } = await costOf(room)
  expect(requests).toBeLessThanOrEqual(12)
})

test.each([
  ['it overruns, too', { overrunMs: HOUR / 2, lateMs: 0 }],
  ['LCIC takes a while to learn that it has ended', { overrunMs: 0, lateMs: 2 * MINUTE }],
])('a class that is moved by nine days is not given up for that where %s', async (_, { overrunMs, lateMs }) => {
  await timeline.close()
  // One of the sweeps comes as it ends: after nine days and an hour, or half an hour more.
  await open({ sweepEveryMs: overrunMs > 0 ? 1.5 * HOUR : 7 * HOUR })
  const room = timeline.addClass({ endAt: end, callback: false })
  await timeline.runUntil(end - HOUR / 2)
  moveByNineDays(room, overrunMs)
  const endedAt = end + 9 * DAY + overrunMs
  timeline.simulator.setFaults(({ action }) =>
    action === 'DescribeRoomStatistics' && timeline.clock.time >= endedAt && timeline.clock.time < endedAt + lateMs
      ? { kind: 'error', code: 'FailedOperation.RoomNotEnd' }
      : undefined,
  )
  await timeline.runUntil(endedAt + HOUR)
  expect((await costOf(room)).lagMs).toBeLessThanOrEqual(20 * MINUTE)
  expect(logged).toEqual([])
})

/** It lasts as long as it did, and the school asks what is planned while it should have been over. */
function moveByNineDays(room: SimulatedRoom, overrunMs = 0): void {
  const [planned, real] = [9 * 86_400, 9 * 86_400 + overrunMs / 1000]
  Object.assign(room, {
    scheduledStartAt: room.scheduledStartAt + planned,
    scheduledEndAt: room.scheduledEndAt + planned,
    realStartAt: (room.realStartAt ?? 0) + planned,
    realEndAt: (room.realEndAt ?? 0) + real,
    readyAt: room.readyAt + real,
  })
  for (let hours = 1; hours < 12; hours++) {
    timeline.at(end + hours * HOUR, async () => {
      await describeRooms(timeline.context, { most: 10, patience: { waitMs: 0 } })
    })
  }
}

test('time in which no worker asked does not count as failing', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 0 })
  const { context, clock } = timeline
  const room = timeline.addClass({ endAt: end, readyAfterMs: 12 * DAY })
  await timeline.runUntil(end + HOUR)
  clock.time += 8 * DAY
  await timeline.runUntil(clock.time + DAY)
  expect(await jobOf(room)).toMatchObject({ state: 'pending', reason: 'not_ready' })
  await timeline.runUntil(end + 12.1 * DAY)
  await expectTruth(timeline.db, room)
  expect((await readStatus(timeline.db, { now: context.now() })).days).toMatchObject([{ archived: 1 }])
})

test('a class that has ended, though LCIC does not say when, is not put off to its planned end', async () => {
  const { lcic } = timeline.context
  const began = (end - HOUR / 2) / 1000
  const times = { scheduledStartAt: began, realStartAt: began, endAt: end + 3 * DAY, overrunMs: -3 * DAY }
  const room = timeline.addClass({ ...times, callback: false })
  Object.assign(timeline.context, {
    lcic: {
      ...lcic,
      async getRooms(...request: Parameters<typeof lcic.getRooms>) {
        const { rooms, ...page } = await lcic.getRooms(...request)
        return { ...page, rooms: rooms.map((listed) => ({ ...listed, realEndTime: null })) }
      },
    },
  })
  let lags = 1
  timeline.simulator.setFaults(({ action }) =>
    action === 'DescribeRoomStatistics' && lags-- > 0
      ? { kind: 'error', code: 'FailedOperation.RoomNotEnd' }
      : undefined,
  )
  await timeline.runUntil(end + HOUR)
  expect((await costOf(room)).lagMs).toBeLessThanOrEqual(20 * MINUTE)
})

test('a class that went on for longer than a week has not failed for that long', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 12 * HOUR, policy: { giveUpAfterMs: 7 * DAY } })
  const room = timeline.addClass({ endAt: end, overrunMs: 6.9 * DAY, readyAfterMs: 12 * HOUR })
  await timeline.runUntil(end + 8 * DAY)
  await expectTruth(timeline.db, room)
})

test('a room that is named while it is given up gets another chance, and says so', async () => {
  const room = timeline.addClass({
    endAt: end,
    fate: 'expired',
    realStartAt: null,
    realEndAt: null,
    listed: false,
    callback: false,
  })
  const { lcic } = timeline.context
  const named: ArchiveContext = {
    ...timeline.context,
    lcic: {
      ...lcic,
      async describeRoomStatistics(...request) {
        await callBack(timeline.context, room.roomId)
        return lcic.describeRoomStatistics(...request)
      },
    },
  }
  await timeline.runUntil(end + HOUR)
  const report = await archiveRoom(named, room.roomId, { waitMs: 0 })
  expect(report).toMatchObject({ outcome: 'expired', state: 'pending' })
  expect(report.message).toMatch(/ It was named anew meanwhile, and will be asked again\.$/)
  const { due_at, ...job } = await jobOf(room)
  expect(job).toMatchObject({ state: 'pending', failing_since: null, last_error_message: report.message })
  await timeline.runUntil((due_at?.getTime() ?? 0) + MINUTE)
  expect(await jobOf(room)).toMatchObject({ state: 'expired', due_at: null })
})

test('a class that went on is not given up for that, whatever came between', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 0, policy: { giveUpAfterMs: DAY } })
  const room = timeline.addClass({ endAt: end, readyAfterMs: 2 * HOUR })
  const answers = ['FailedOperation.RoomNotEnd', 'RequestLimitExceeded', 'ResourceUnavailable']
  timeline.simulator.setFaults(() => {
    const hours = (timeline.clock.time - end) / HOUR
    return { kind: 'error', code: answers[hours < 30 ? 0 : hours < 30.75 ? 1 : 2] ?? '' }
  })
  await timeline.runUntil(end + 23 * HOUR)
  // The class goes on: it would have been given up an hour later, had it not been for what follows.
  await sql`update archive.jobs set failing_since = failing_since + interval '10 hours'`.execute(timeline.db)
  await timeline.runUntil(end + 33 * HOUR)
  expect(await jobOf(room)).toMatchObject({ state: 'pending', reason: 'not_ready' })
})

describe('a day after it was archived a room is read once more', () => {
  beforeEach(async () => {
    await timeline.close()
    await open({ sweepEveryMs: 2 * HOUR, policy: { giveUpAfterMs: 7 * DAY, rereadAfterMs: DAY } })
  })

  test('and not again', async () => {
    const room = timeline.addClass({ endAt: end })
    await timeline.runUntil(end + 5 * DAY)
    const [first = 0, second = 0, ...more] = timeline.asked(room.roomId)
    expect(second - first).toBeGreaterThanOrEqual(DAY)
    expect(second - first).toBeLessThanOrEqual(DAY + MINUTE)
    expect(more).toEqual([])
    expect(await jobOf(room)).toMatchObject({ state: 'archived', due_at: null })
    expect(await roomOf(room)).toMatchObject({ revision: 1 })
  })

  test('and what has changed since is a new revision, with the old values in the history', async () => {
    const room = timeline.addClass({ endAt: end, members: 40 })
    await timeline.runUntil(end + HOUR)
    const [, changed, other] = room.members
    if (!changed || !other) throw new Error('no such member')
    const before = { hand_ups: changed.HandUps, present_seconds: other.PresentTime }
    Object.assign(changed, { HandUps: 77 })
    Object.assign(other, { PresentTime: 1 })
    room.figures = { ...room.figures, MessageCount: 4321 }
    await timeline.runUntil(end + 2 * DAY)
    await expectTruth(timeline.db, room)
    expect(await roomOf(room)).toMatchObject({ revision: 2 })
    const history = await timeline.db.selectFrom('archive.history').selectAll().orderBy('user_id').execute()
    expect(history.map(({ user_id, revision, old }) => ({ user_id, revision, old }))).toEqual(
      [
        { user_id: '', revision: 1, old: { message_count: expect.any(Number) } },
        { user_id: changed.UserId, revision: 1, old: { hand_ups: before.hand_ups } },
        { user_id: other.UserId, revision: 1, old: { present_seconds: before.present_seconds } },
      ].sort((a, b) => (a.user_id < b.user_id ? -1 : 1)),
    )
  })
})

test('where no re-read is wanted nothing is read again by itself', async () => {
  await timeline.close()
  await open({ sweepEveryMs: 2 * HOUR })
  const room = timeline.addClass({ endAt: end })
  await timeline.runUntil(end + 3 * DAY)
  expect(timeline.asked(room.roomId)).toHaveLength(1)
  expect(await sweepOnce(timeline.context, timeline.school)).toMatchObject([{ newJobs: 0 }])
})
