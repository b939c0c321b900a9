import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RoomReport } from '../../lib/archive/archive-room'
import { work } from '../../lib/archive/work'
import { systemClock } from '../../lib/clock'
import { isConnectionProblem } from '../../lib/db/connect'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { openTestArchive, type TestArchive } from '../support/archive'
import { expectTruth } from '../support/truth'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ frozen: true })
})
afterAll(() => archive.close())

test('a connection lost in the middle of the merge fails the call, not the process, and the next call goes on', async () => {
  const { db } = archive
  const room = archive.school.addRoom({ members: 2500 })
  const failed = await db.transaction().execute(async (blocker) => {
    await sql`lock table archive.member_records in access exclusive mode`.execute(blocker)
    const failure = archive.archive(room.roomId).then(
      () => undefined,
      (error: unknown) => error,
    )
    for (let terminated = 0; terminated === 0; ) {
      const { rows } = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'relation'`.execute(db)
      terminated = rows.length
      await delay(5)
    }
    return failure
  })
  expect(isConnectionProblem(failed)).toBe(true)
  const asked = archive.simulator.requests.length
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 2500 })
  expect(archive.simulator.requests).toHaveLength(asked)
  await expectTruth(db, room)
})

test('a room that a frozen process has locked is busy, and nobody waits for it without end', async () => {
  const { db } = archive
  const room = archive.school.addRoom({ members: 3 })
  await archive.archive(room.roomId)
  await db.transaction().execute(async (frozen) => {
    await sql`select from archive.jobs where room_id = ${room.roomId} for update`.execute(frozen)
    expect(await archive.archive(room.roomId, { waitMs: 3000 })).toMatchObject({ outcome: 'busy' })
  })
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged' })
})

test('a first report that lists nobody, yet counts members, is taken for early, not for final', async () => {
  const room = archive.school.addRoom({ members: 0, figures: { PeakMemberNumber: 12, MemberNumber: 14 } })
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({ outcome: 'inconsistent', state: 'pending' })
  expect(report.message).toContain('counts 14 members online, and lists nobody')
})

test('a large room that changes and shrinks is merged in time, however small PostgreSQL takes rooms to be', async () => {
  const { db } = archive
  const room = archive.school.addRoom({ members: 20_000 })
  await archive.archive(room.roomId)
  await sql`
    insert into archive.member_records (room_id, user_id, archived_at, changed_at)
    select 1000000000000 + n, 'only', now(), now() from generate_series(1, 200000) as n`.execute(db)
  await sql`delete from archive.member_records where room_id = ${room.roomId}`.execute(db)
  await sql`analyze archive.member_records`.execute(db)
  expect(await archive.archive(room.roomId)).toMatchObject({ inserted: 20_000 })

  // A new list, because frozen pages are encoded once a list.
  room.members = room.members.slice(1000).map((member) => ({ ...member, HandUps: (member.HandUps ?? 0) + 1 }))
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 19_000, removed: 1000 })
  await expectTruth(db, room)
})

test('a room that hangs and one that is huge delay no small ones', async () => {
  const { db, school, simulator } = archive
  const [hanging, huge, ...others] = [2, 12_000, ...Array(30).fill(2)].map((members) => school.addRoom({ members }))
  const rooms = [hanging, huge, ...others].flatMap((room) => room?.roomId ?? [])
  const hints = rooms.map((roomId, index) => ({ roomId, endedAt: new Date(1e12 + index * 1000) }))
  await hintRooms(db, { hints, hintedBy: 'sweep', now: databaseTime })
  simulator.setFaults(({ roomId }) => {
    if (roomId === hanging?.roomId) return { kind: 'hang' }
    return roomId === huge?.roomId ? { kind: 'delay', ms: 700 } : undefined
  })
  const reports: RoomReport[] = []
  await work(
    { ...archive.context, clock: systemClock, now: () => databaseTime },
    { until: 'nothing_due', requestTimeoutMs: 1500, onReport: (report) => reports.push(report) },
  )
  simulator.setFaults(undefined)
  const order = reports.map(({ roomId }) => roomId)
  expect(new Set(order.slice(0, others.length))).toEqual(new Set(others.map(({ roomId }) => roomId)))
  expect(order.slice(-2)).toEqual([huge?.roomId, hanging?.roomId])
  expect(reports.at(-1)).toMatchObject({ outcome: 'transient', code: 'E_TIMEOUT' })
})
