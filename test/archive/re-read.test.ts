import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveRoom } from '../../lib/archive/archive-room'
import type { ArchiveContext } from '../../lib/archive/context'
import type { SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { expectTruth } from '../support/truth'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive()
})
afterAll(() => archive.close())

async function archivedRoom(members: number): Promise<SimulatedRoom> {
  const room = archive.school.addRoom({ members })
  await archive.archive(room.roomId)
  await expectTruth(archive.db, room)
  return room
}

/** Which version of each row there is: any write would change it. */
async function rowVersions(roomId: bigint): Promise<Map<string, string>> {
  const { rows } = await sql<{ user_id: string; version: string }>`
    select user_id, concat(xmin, ' ', ctid) as version from archive.member_records where room_id = ${roomId}`.execute(
    archive.db,
  )
  return new Map(rows.map(({ user_id, version }) => [user_id, version]))
}

async function presentMembers(roomId: bigint): Promise<number> {
  const { rows } = await sql<{ members: number }>`
    select count(*)::int as members from archive.member_records
    where room_id = ${roomId} and removed_at is null`.execute(archive.db)
  return rows[0]?.members ?? 0
}

async function roomRow(roomId: bigint) {
  return archive.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
}

async function jobOf(roomId: bigint) {
  return archive.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
}

async function runsOf(roomId: bigint) {
  return archive.db.selectFrom('archive.runs').selectAll().where('room_id', '=', roomId).orderBy('attempt').execute()
}

test('the second archive of an unchanged room of 3,000 writes no member row, no page and no room', async () => {
  const room = await archivedRoom(3000)
  const versions = await rowVersions(room.roomId)
  const row = await roomRow(room.roomId)
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({
    outcome: 'unchanged',
    records: 3000,
    inserted: 0,
    updated: 0,
    removed: 0,
    requests: 3,
  })
  expect(await rowVersions(room.roomId)).toEqual(versions)
  expect(await roomRow(room.roomId)).toEqual(row)
  const pages = await archive.db
    .selectFrom('archive.raw_pages')
    .select('attempt')
    .where('room_id', '=', room.roomId)
    .execute()
  expect(pages.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  expect(await runsOf(room.roomId)).toMatchObject([
    { outcome: 'archived', pages: 3, records: 3000, inserted: 3000 },
    { outcome: 'unchanged', pages: 3, records: 3000, inserted: 0, content_hash: row.content_hash },
  ])
  // RequestIds are told in the order of the answers, and the last one is kept.
  const { requestId } = archive.simulator.requests.at(-1) ?? {}
  expect(report.requestId).toBe(requestId)
  expect(await jobOf(room.roomId)).toMatchObject({ last_request_id: requestId, ended_at: row.real_end_at })
})

test('a new room of one page is written by one transaction', async () => {
  const { roomId } = await archivedRoom(10)
  const { rows } = await sql`
    select count(distinct written.by)::int as transactions
    from (select 'raw_pages' as of, xmin::text as by from archive.raw_pages where room_id = ${roomId}
      union all select 'members', xmin::text from archive.member_records where room_id = ${roomId}
      union all select 'rooms', xmin::text from archive.rooms where room_id = ${roomId}
      union all select 'runs', xmin::text from archive.runs where room_id = ${roomId}
      union all select 'jobs', xmin::text from archive.jobs where room_id = ${roomId}) as written`.execute(archive.db)
  expect(rows).toEqual([{ transactions: 1 }])
})

test('a read of one page that says nothing new is counted, and not stored', async () => {
  const room = await archivedRoom(10)
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged', pages: 1, records: 10, requests: 1 })
  const run = { pages: 1, records: 10, updated: 0, removed: 0, duplicates: 0 }
  expect(await runsOf(room.roomId)).toMatchObject([
    { ...run, outcome: 'archived', inserted: 10 },
    { ...run, outcome: 'unchanged', inserted: 0 },
  ])
})

test('a new room that was left in the middle is archived from where it was left', async () => {
  const { context, school } = archive
  const room = school.addRoom({ members: 1500 })
  const controller = new AbortController()
  const stopping = { ...context, observe: () => controller.abort(new Error('enough')) }
  const patience = { waitMs: 0, signal: controller.signal }
  await expect(archiveRoom(stopping, room.roomId, patience)).rejects.toThrow('enough')
  expect(await runsOf(room.roomId)).toMatchObject([{ outcome: 'interrupted', pages: 1, records: 1000 }])
  expect(await archive.archive(room.roomId)).toMatchObject({
    outcome: 'archived',
    attempt: 2,
    pages: 2,
    records: 1500,
    inserted: 1500,
    requests: 1,
  })
  await expectTruth(archive.db, room)
})

test('a page that is lost before the room is archived makes it inconsistent, however often', async () => {
  const { context, db, school } = archive
  const { roomId } = school.addRoom({ members: 1500 })
  const lcic: ArchiveContext['lcic'] = {
    ...context.lcic,
    async describeRoomStatistics(...args) {
      if (args[1] === 2) await sql`delete from archive.raw_pages where room_id = ${roomId} and page = 1`.execute(db)
      return context.lcic.describeRoomStatistics(...args)
    },
  }
  const report = await archiveRoom({ ...context, lcic }, roomId, { waitMs: 0 })
  expect(report).toMatchObject({ outcome: 'inconsistent', code: 'E_INCONSISTENT', state: 'pending', attempt: 3 })
  expect(report.message).toContain('LCIC announced 1500 records, and 500 were landed')
  expect(await presentMembers(roomId)).toBe(0)
})

test('members who take the place of others are a revision, whatever else changes, and figures need not', async () => {
  const room = await archivedRoom(6)
  const [, one, two, ...rest] = room.members
  if (!one || !two) throw new Error('no members')
  const swap = async (newcomer: string, others: typeof rest) => {
    room.members = [{ UserId: newcomer }, ...others]
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
    return archive.archive(room.roomId)
  }
  room.figures = { ...room.figures, MemberNumber: 6, PeakMemberNumber: 6 }
  await archive.archive(room.roomId)
  const { revision } = await roomRow(room.roomId)
  const swapped = await swap('newcomer-1', [one, two, ...rest])
  expect(swapped).toMatchObject({ outcome: 'archived', inserted: 1, updated: 0, removed: 1 })
  expect((await roomRow(room.roomId)).revision).toBe(revision + 1)
  const others = [{ ...one, HandUps: 71 }, { ...two, HandUps: 72 }, ...rest]
  const both = await swap('newcomer-2', others)
  expect(both).toMatchObject({ outcome: 'archived', inserted: 1, updated: 2, removed: 1 })
  expect((await roomRow(room.roomId)).revision).toBe(revision + 2)
})

test('records that come in another order are no change', async () => {
  const room = await archivedRoom(1200)
  const versions = await rowVersions(room.roomId)
  room.members.reverse()
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 0, updated: 0, removed: 0 })
  expect(await rowVersions(room.roomId)).toEqual(versions)
  expect((await roomRow(room.roomId)).revision).toBe(1)
})

test('one member changed at the source is one row written, and a revision', async () => {
  const room = await archivedRoom(3000)
  const versions = await rowVersions(room.roomId)
  const changed = room.members[1777]
  if (!changed) throw new Error('no such member')
  changed.HandUps = 99
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 0, updated: 1, removed: 0 })
  await expectTruth(archive.db, room)
  const after = await rowVersions(room.roomId)
  expect([...after].filter(([user, version]) => versions.get(user) !== version).map(([user]) => user)).toEqual([
    changed.UserId,
  ])
  expect((await roomRow(room.roomId)).revision).toBe(2)
})

test('pages of a re-read that say nothing new are not stored again, and still serve to rebuild the room', async () => {
  const room = await archivedRoom(2500)
  const last = room.members.at(-1)
  if (last) last.HandUps = 77
  await archive.archive(room.roomId)
  const pages = await archive.db
    .selectFrom('archive.raw_pages')
    .select(['attempt', 'page', 'same_as_attempt'])
    .where('room_id', '=', room.roomId)
    .where('attempt', '=', 2)
    .orderBy('page')
    .execute()
  expect(pages.map(({ same_as_attempt }) => same_as_attempt)).toEqual([1, 1, null])
  // A third read refers to where the text is, not to a page that refers to another.
  if (last) last.HandUps = 78
  await archive.archive(room.roomId)
  await expectTruth(archive.db, room)
})

test('members of a re-read that the archive lacks are added at once', async () => {
  const room = await archivedRoom(10)
  room.members.push({ UserId: 'late-arrival', UserName: 'Late' })
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 1, updated: 0 })
  await expectTruth(archive.db, room)
})

test('an empty re-read never empties a room, however often it comes', async () => {
  const room = await archivedRoom(1500)
  const versions = await rowVersions(room.roomId)
  room.members = []
  for (let read = 0; read < 4; read++) {
    const report = await archive.archive(room.roomId)
    expect(report).toMatchObject({ outcome: 'emptied', state: 'archived', inserted: 0, updated: 0, removed: 0 })
    expect(report.message).toContain('LCIC now lists nobody, the archive has 1500 members and keeps them')
  }
  expect(await rowVersions(room.roomId)).toEqual(versions)
  expect(await presentMembers(room.roomId)).toBe(1500)
})

test('a halved re-read loses nothing; a second one that says the same marks the others as removed, and they can return', async () => {
  const room = await archivedRoom(1500)
  const all = room.members
  const versions = await rowVersions(room.roomId)
  room.members = all.slice(0, 750)
  const shrunk = await archive.archive(room.roomId)
  expect(shrunk).toMatchObject({ outcome: 'shrunk', code: 'E_SHRUNK', state: 'archived', removed: 0, records: 750 })
  expect(shrunk.message).toContain(
    'LCIC now lists 750 members and lacks 750 that the archive has; they are kept until a second read says the same',
  )
  expect(await rowVersions(room.roomId)).toEqual(versions)

  expect(await archive.archive(room.roomId)).toMatchObject({
    outcome: 'archived',
    removed: 750,
    inserted: 0,
    updated: 0,
  })
  await expectTruth(archive.db, room)
  expect((await rowVersions(room.roomId)).size).toBe(1500)

  room.members = all
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 750, inserted: 0 })
  await expectTruth(archive.db, room)
})

test('two smaller re-reads that disagree confirm nothing', async () => {
  const room = await archivedRoom(100)
  const all = room.members
  for (const size of [50, 60, 50, 60]) {
    room.members = all.slice(0, size)
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
  }
  room.members = all
  await archive.archive(room.roomId)
  room.members = all.slice(0, 60)
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
  expect(await presentMembers(room.roomId)).toBe(100)
})

test('a user that the source keeps listing twice is kept once, by rule, counted, and both records stay raw', async () => {
  const room = archive.school.addRoom({ members: 40 })
  const [first] = room.members
  if (!first) throw new Error('no members')
  room.members.push({ ...first, PresentTime: 77_777, HandUps: 5 }, { ...first, PresentTime: 1, HandUps: 6 })
  // Each call reads three times in a row; all three say the same.
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({ outcome: 'archived', inserted: 40, duplicates: 2 })
  const kept = await archive.db
    .selectFrom('archive.member_records')
    .select(['present_seconds', 'hand_ups'])
    .where('room_id', '=', room.roomId)
    .where('user_id', '=', first.UserId)
    .execute()
  expect(kept).toEqual([{ present_seconds: 77_777, hand_ups: 5 }])
  const { rows } = await sql<{ outcome: string; duplicates: number; listed: number }>`
    select r.outcome, r.duplicates,
      (select count(*) from json_array_elements(p.body #> '{Response,MemberRecords}') m
       where m ->> 'UserId' = ${first.UserId})::int as listed
    from archive.runs r
    join archive.raw_pages p using (room_id, attempt)
    where room_id = ${room.roomId} and outcome = 'archived'`.execute(archive.db)
  expect(rows).toEqual([{ outcome: 'archived', duplicates: 2, listed: 3 }])
  const versions = await rowVersions(room.roomId)
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged' })
  expect(await rowVersions(room.roomId)).toEqual(versions)
})

test('exact copies look like a member that moved between pages, so they are believed only after six equal reads', async () => {
  const room = archive.school.addRoom({ members: 20 })
  const [first, second] = room.members
  if (!first || !second) throw new Error('no members')
  room.members.push({ ...first }, { ...second })
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({ outcome: 'inconsistent', code: 'E_INCONSISTENT', state: 'pending' })
  expect(report.message).toContain('22 records name only 20 users: some are listed twice')
  expect(await presentMembers(room.roomId)).toBe(0)
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 20, duplicates: 2 })
})

test('a user listed twice in one read only is never believed', async () => {
  const room = archive.school.addRoom({ members: 2100 })
  let requests = 0
  archive.simulator.setFaults(({ roomId, page }) =>
    roomId === room.roomId && page === 2 && requests++ < 2 ? { kind: 'shift' } : undefined,
  )
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', duplicates: 0, inserted: 2100 })
  await expectTruth(archive.db, room)
  archive.simulator.setFaults(undefined)
})

test('a record that names no user keeps the room waiting, and the run says why', async () => {
  const room = archive.school.addRoom({ members: 5 })
  room.members.push({ UserId: '' })
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({ outcome: 'inconsistent', state: 'pending' })
  expect(report.message).toContain('1 of 6 records name no user')
  const runs = await archive.db
    .selectFrom('archive.runs')
    .select('error_message')
    .where('room_id', '=', room.roomId)
    .execute()
  expect(runs).toHaveLength(3)
  for (const run of runs) expect(run.error_message).toContain('name no user')
  expect(await presentMembers(room.roomId)).toBe(0)
})

test('rows that someone deleted come back, although the source says nothing new', async () => {
  const room = await archivedRoom(30)
  await sql`delete from archive.member_records where room_id = ${room.roomId} and user_id = (
    select min(user_id) from archive.member_records where room_id = ${room.roomId})`.execute(archive.db)
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', inserted: 1, updated: 0 })
  await expectTruth(archive.db, room)
})
