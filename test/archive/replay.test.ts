import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eraseMember } from '../../lib/archive/erase-member'
import { type ReplayReport, replayRoom } from '../../lib/archive/replay-room'
import { archivedRoomIds } from '../../lib/db/replay-attempts'
import { openTestArchive, type TestArchive } from '../support/archive'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive()
})
afterAll(() => archive.close())

async function tables() {
  const rooms = await archive.db.selectFrom('archive.rooms').selectAll().orderBy('room_id').execute()
  const members = await archive.db
    .selectFrom('archive.member_records')
    .selectAll()
    .orderBy('room_id')
    .orderBy('user_id')
    .execute()
  return { rooms, members }
}

test('replay rebuilds emptied tables as they were, every column, history included, without a request', async () => {
  const { school, db } = archive
  const plain = school.addRoom({ members: 2300 })
  const empty = school.addRoom({ members: 0 })
  const changed = school.addRoom({ members: 1100 })
  const shrinking = school.addRoom({ members: 60 })
  const twice = school.addRoom({ members: 5 })
  const [first] = twice.members
  if (first) twice.members.push({ ...first, PresentTime: 99_999 })
  const never = school.addRoom({ fate: 'missing' })
  for (const { roomId } of [plain, empty, changed, shrinking, twice, never]) await archive.archive(roomId)
  const [member] = changed.members
  if (member) member.HandUps = 42
  shrinking.members = shrinking.members.slice(0, 40)
  for (const { roomId } of [changed, shrinking, shrinking, shrinking]) await archive.archive(roomId)
  shrinking.members = []
  await archive.archive(shrinking.roomId)

  const before = await tables()
  expect(before.rooms).toHaveLength(5)
  expect(before.members).toHaveLength(2300 + 1100 + 60 + 5)
  expect(before.members.filter(({ removed_at }) => removed_at)).toHaveLength(20)
  const requests = archive.simulator.requests.length

  await sql`truncate archive.rooms, archive.member_records`.execute(db)
  const reports = new Map<bigint, ReplayReport>()
  for (const roomId of await archivedRoomIds(db)) reports.set(roomId, await replayRoom(db, roomId))

  const after = await tables()
  expect(after.rooms).toEqual(before.rooms)
  expect(after.members).toEqual(before.members)
  expect(archive.simulator.requests).toHaveLength(requests)
  const counts = (of: { roomId: bigint }) => {
    const { attempts, pages, records, inserted, updated, removed } = reports.get(of.roomId) ?? {}
    return [attempts, pages, records, inserted, updated, removed]
  }
  expect(counts(plain)).toEqual([1, 3, 2300, 2300, 0, 0])
  expect(counts(empty)).toEqual([1, 1, 0, 0, 0, 0])
  expect(counts(changed)).toEqual([2, 4, 1100, 1100, 1, 0])
  expect(counts(shrinking)).toEqual([2, 2, 40, 60, 0, 20])
  expect(counts(twice)).toEqual([1, 1, 5, 5, 0, 0])
})

test('a replay of rows that are as they should be writes none', async () => {
  const versions = () =>
    sql`select room_id, user_id, xmin::text, ctid::text from archive.member_records order by 1, 2`.execute(archive.db)
  const pages = () =>
    sql`select room_id, attempt, page, xmin::text, ctid::text from archive.raw_pages order by 1, 2, 3`.execute(
      archive.db,
    )
  const before = await versions()
  const pagesBefore = await pages()
  const { rooms } = await tables()
  for (const roomId of await archivedRoomIds(archive.db)) {
    expect(await replayRoom(archive.db, roomId)).toMatchObject({ inserted: 0, updated: 0, removed: 0 })
  }
  expect((await versions()).rows).toEqual(before.rows)
  expect((await pages()).rows).toEqual(pagesBefore.rows)
  expect((await tables()).rooms).toEqual(rooms)
})

test('a replay reads pages by the rules of today: what was kept aside by older ones is made anew', async () => {
  const room = archive.school.addRoom({ members: 3 })
  await archive.archive(room.roomId)
  // As if an older version had not known the field, and kept the record aside without it.
  await sql`
    update archive.raw_pages set records = (
      select json_agg(json_build_object('UserId', m ->> 'UserId', 'extra', json_build_object('HandUps', m -> 'HandUps')))
      from json_array_elements(body #> '{Response,MemberRecords}') m)
    where room_id = ${room.roomId}`.execute(archive.db)
  await sql`update archive.member_records set hand_ups = null, extra = '{"HandUps": 1}' where room_id = ${room.roomId}`.execute(
    archive.db,
  )
  expect(await replayRoom(archive.db, room.roomId)).toMatchObject({ updated: 3 })
  const rows = await archive.db
    .selectFrom('archive.member_records')
    .select(['hand_ups', 'extra'])
    .where('room_id', '=', room.roomId)
    .orderBy('user_id')
    .execute()
  const hands = room.members.toSorted((a, b) => (a.UserId < b.UserId ? -1 : 1)).map(({ HandUps }) => HandUps ?? null)
  expect(rows.map(({ hand_ups }) => hand_ups)).toEqual(hands)
})

test('a room without pages says so', async () => {
  await expect(replayRoom(archive.db, 999n)).rejects.toThrow('It cannot be rebuilt: it was never archived')
  const room = archive.school.addRoom({ members: 3 })
  await archive.archive(room.roomId)
  await sql`delete from archive.raw_pages where room_id = ${room.roomId}`.execute(archive.db)
  await expect(replayRoom(archive.db, room.roomId)).rejects.toThrow('its raw pages are gone')
})

test('a room that lacks a page is left as it is, and is told apart', async () => {
  const room = archive.school.addRoom({ members: 1500 })
  await archive.archive(room.roomId)
  await sql`delete from archive.raw_pages where room_id = ${room.roomId} and page = 2`.execute(archive.db)
  await sql`update archive.member_records set hand_ups = 99 where room_id = ${room.roomId}`.execute(archive.db)
  await expect(replayRoom(archive.db, room.roomId)).rejects.toMatchObject({
    code: 'E_NOTHING_TO_REPLAY',
    message: `It cannot be rebuilt: its raw pages hold 1000 of 1500 records. Archive it: lcic-archive archive ${room.roomId}`,
  })
  const { rows } =
    await sql`select from archive.member_records where room_id = ${room.roomId} and hand_ups = 99`.execute(archive.db)
  expect(rows).toHaveLength(1500)
})

test('a user who is listed twice is replayed as once only where that is how the room was archived', async () => {
  const room = archive.school.addRoom({ members: 2 })
  const [first] = room.members
  if (first) room.members.push({ ...first, PresentTime: 99_999 })
  await archive.archive(room.roomId)
  expect(await replayRoom(archive.db, room.roomId)).toMatchObject({ records: 2 })
  await sql`update archive.runs set duplicates = 0 where room_id = ${room.roomId}`.execute(archive.db)
  await expect(replayRoom(archive.db, room.roomId)).rejects.toMatchObject({ code: 'E_NOTHING_TO_REPLAY' })
})

test('who was erased is not missing from the pages', async () => {
  const { db, context } = archive
  const room = archive.school.addRoom({ members: 1500 })
  await archive.archive(room.roomId)
  await eraseMember(db, { userId: room.members[0]?.UserId ?? '', now: context.now(), clock: context.clock })
  expect(await replayRoom(db, room.roomId)).toMatchObject({ records: 1499 })
  await sql`delete from archive.raw_pages where room_id = ${room.roomId} and page = 2`.execute(db)
  await expect(replayRoom(db, room.roomId)).rejects.toThrow('its raw pages hold 999 of 1499 records')
})
