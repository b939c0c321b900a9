import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../lib/archive/archive-room'
import { planBackfill } from '../../lib/archive/backfill'
import { describeRooms } from '../../lib/archive/describe-rooms'
import { sweep } from '../../lib/archive/sweep'
import { work } from '../../lib/archive/work'
import { readStatus } from '../../lib/db/read-status'
import type { Fault } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'

let archive: TestArchive
beforeEach(async () => {
  archive = await openTestArchive()
})
afterEach(() => archive.close())

const HOUR = 3_600_000
const sweepAll = (...apps: number[]) =>
  sweep(archive.context, {
    sdkAppIds: (apps.length > 0 ? apps : [archive.school.sdkAppId]).map(BigInt),
    lookbackMs: 76 * HOUR,
  })
const archiveAll = () => work(archive.context, { until: 'nothing_due', roomsAtOnce: 4 })
const status = () => readStatus(archive.db, { now: archive.context.now() })
const jobs = () => archive.db.selectFrom('archive.jobs').selectAll().orderBy('room_id').execute()
const marks = () => archive.db.selectFrom('archive.sweeps').selectAll().orderBy('sdk_app_id').execute()

async function versions(): Promise<unknown[]> {
  const { rows } = await sql`
    select concat(xmin, ' ', ctid) as version from archive.known_rooms
    union all select concat(xmin, ' ', ctid) from archive.jobs
    union all select concat(xmin, ' ', ctid) from archive.rooms`.execute(archive.db)
  return rows
}

function addRooms(count: number): bigint[] {
  return Array.from({ length: count }, () => archive.school.addRoom({ members: 2 }).roomId)
}

test('all pages of all apps are read; a later sweep writes no row', async () => {
  const ids = addRooms(250)
  const other = archive.school.addRoom({ members: 2, sdkAppId: 1400000777, roomId: 2n ** 62n + 1n })
  const first = await sweepAll(archive.school.sdkAppId, 1400000777)
  expect(first).toMatchObject([
    { rooms: 250, ended: 250, newJobs: 250, requests: 3 },
    { rooms: 1, ended: 1, newJobs: 1, requests: 1 },
  ])
  expect((await jobs()).map(({ room_id }) => room_id)).toEqual([...ids, other.roomId])
  const before = await versions()
  expect(await sweepAll(archive.school.sdkAppId, 1400000777)).toMatchObject([{ newJobs: 0 }, { newJobs: 0 }])
  expect(await versions()).toEqual(before)
})

test('rooms that are planned or in class get a job for when they are planned to end, and are due once they have ended', async () => {
  const { school } = archive
  const now = Math.floor(Date.now() / 1000)
  const inClass = school.addRoom({ members: 2, scheduledEndAt: now + 600, realStartAt: now - 60, realEndAt: null })
  await sweepAll()
  expect(await jobs()).toMatchObject([{ room_id: inClass.roomId, state: 'pending', ended_at: null }])
  expect((await jobs())[0]?.due_at?.getTime()).toBe(inClass.scheduledEndAt * 1000)
  expect(await status()).toMatchObject({ days: [], upcoming: 1 })

  inClass.realEndAt = now - 5
  expect(await sweepAll()).toMatchObject([{ ended: 1, newJobs: 0 }])
  const [job] = await jobs()
  expect(job?.due_at?.getTime()).toBeLessThanOrEqual(archive.context.clock.now())
  expect(job?.ended_at).toEqual(new Date((now - 5) * 1000))
  expect(job?.deadline_at).toEqual(new Date((now - 5 + 180 * 86_400) * 1000))
})

const spoilt: Fault[] = [
  { kind: 'shift' },
  { kind: 'total', by: 1 },
  { kind: 'duplicate' },
  { kind: 'reset' },
  { kind: 'error', code: 'InternalError' },
  { kind: 'not-json' },
]

describe.each(spoilt)('a page of rooms with fault $kind', (fault) => {
  test('is read again, and nothing is lost', async () => {
    addRooms(230)
    let faults = 2
    archive.simulator.setFaults(({ action, page }) => {
      if (action !== 'GetRooms' || page !== 2 || faults === 0) return undefined
      faults--
      return fault
    })
    expect(await sweepAll()).toMatchObject([{ rooms: 230, newJobs: 230 }])
    expect((await marks())[0]?.swept_until).not.toBeNull()
  })
})

test('a list that never is whole is told, its mark stays, and what was seen has jobs', async () => {
  addRooms(150)
  archive.simulator.setFaults(({ action }) => (action === 'GetRooms' ? { kind: 'total', by: 1 } : undefined))
  const [report] = await sweepAll()
  expect(report?.message).toMatch(/not swept whole: The list of rooms .* counts 151 rooms and lists 150/)
  expect(await marks()).toMatchObject([{ swept_until: null, finished_at: null, rooms: 150 }])
  expect(await jobs()).toHaveLength(150)

  archive.simulator.setFaults(undefined)
  await sweepAll()
  expect((await marks())[0]).toMatchObject({ swept_until: expect.any(Date), error_message: null })
})

test('an app that cannot be swept keeps no other from it; refused credentials stop all', async () => {
  addRooms(3)
  let requests = 0
  archive.simulator.setFaults(() => (requests++ < 5 ? { kind: 'error', code: 'InternalError' } : undefined))
  const [failed, swept] = await sweepAll(1400000777, archive.school.sdkAppId)
  expect(failed?.message).toContain('App 1400000777 was not swept whole')
  expect(swept).toMatchObject({ rooms: 3 })
  expect(swept).not.toHaveProperty('message')

  archive.simulator.setFaults(() => ({ kind: 'error', code: 'UnauthorizedOperation' }))
  await expect(sweepAll()).rejects.toThrow(ConfigurationError)
  await expect(sweepAll()).rejects.toThrow(/lcic:GetRooms/)
})

test('a room whose job is gone is a gap, until the next sweep', async () => {
  const [roomId] = addRooms(4)
  await sweepAll()
  await archiveAll()
  await sql`delete from archive.jobs where room_id = ${roomId}`.execute(archive.db)
  expect((await status()).days).toMatchObject([{ ended: 4, archived: 3, gap: 1 }])
  expect(await sweepAll()).toMatchObject([{ newJobs: 1 }])
  await archiveAll()
  expect((await status()).days).toMatchObject([{ ended: 4, archived: 4, gap: 0 }])
})

test('each room counts once, whatever became of it', async () => {
  const { school } = archive
  addRooms(3)
  school.addRoom({ fate: 'expired' })
  school.addRoom({ fate: 'missing' })
  school.addRoom({ members: 2, notReadyAnswers: 99 })
  await sweepAll()
  await archiveAll()
  const { days, waiting } = await status()
  expect(days).toMatchObject([{ ended: 6, archived: 3, waiting: 2, expired: 1, missing: 0, failed: 0, gap: 0 }])
  expect(waiting.map(({ reason, rooms }) => ({ reason, rooms }))).toEqual(
    expect.arrayContaining([
      { reason: 'gone', rooms: 1 },
      { reason: 'not_ready', rooms: 1 },
    ]),
  )
})

describe.each(['before', 'after'])('facts reach a room that is archived %s the sweep', (order) => {
  test('and its teacher is asked for once', async () => {
    const room = archive.school.addRoom({ members: 2, name: 'Physics', teacherId: 'teacher-7', roomType: 3 })
    if (order === 'before') await archive.archive(room.roomId)
    await sweepAll()
    await archiveAll()
    const read = () => archive.db.selectFrom('archive.rooms').selectAll().executeTakeFirstOrThrow()
    const facts = {
      sdk_app_id: BigInt(archive.school.sdkAppId),
      name: 'Physics',
      room_type: 3,
      scheduled_start_at: new Date(room.scheduledStartAt * 1000),
      scheduled_end_at: new Date(room.scheduledEndAt * 1000),
      revision: 1,
    }
    expect(await read()).toMatchObject({ ...facts, teacher_id: null })
    const patience = { waitMs: 0 }
    expect(await describeRooms(archive.context, { most: 10, patience })).toBe(1)
    expect(await read()).toMatchObject({ ...facts, teacher_id: 'teacher-7' })
    expect(await describeRooms(archive.context, { most: 10, patience })).toBe(0)
  })
})

test('where DescribeRoom is not allowed, or a room is gone by then, nothing ends', async () => {
  const ids = addRooms(3)
  for (const roomId of ids) await archive.archive(roomId)
  const patience = { waitMs: 0 }
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'UnauthorizedOperation' }))
  expect(await describeRooms(archive.context, { most: 10, patience })).toBe(0)
  archive.simulator.setFaults(undefined)
  for (const room of archive.school.rooms.values()) room.fate = 'missing'
  expect(await describeRooms(archive.context, { most: 10, patience })).toBe(0)
  const requests = archive.simulator.requests.length
  expect(await describeRooms(archive.context, { most: 10, patience })).toBe(0)
  expect(archive.simulator.requests).toHaveLength(requests)
})

test('a plan counts what is to be done, and writes nothing', async () => {
  addRooms(120)
  archive.school.addRoom({ members: 2, realEndAt: null })
  const span = { from: new Date(Date.now() - 30 * 24 * HOUR), to: new Date() }
  const options = { sdkAppIds: [BigInt(archive.school.sdkAppId)], span, requestsPerSecond: 20, patience: { waitMs: 0 } }
  const plan = await planBackfill(archive.context, options)
  expect(plan).toMatchObject({ rooms: 120, settled: 0, toArchive: 120, statisticsRequests: 120 })
  expect(plan.durationMs).toBeGreaterThan(120 * 50)
  expect(await jobs()).toEqual([])
  await sweepAll()
  await archiveAll()
  expect(await planBackfill(archive.context, options)).toMatchObject({ rooms: 120, settled: 120, toArchive: 0 })
})
