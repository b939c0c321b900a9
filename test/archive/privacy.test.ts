import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { eraseMember } from '../../lib/archive/erase-member'
import { prune } from '../../lib/archive/prune'
import { createCallbackReceiver } from '../../lib/archive/receive-callback'
import { replayRoom } from '../../lib/archive/replay-room'
import { sweepAndDescribe } from '../../lib/archive/sweep-and-describe'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { archivedRoomIds } from '../../lib/db/replay-attempts'
import { storeCallbacks } from '../../lib/db/store-callbacks'
import type { SimulatedRecord } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { dumpArchive, valuesWith } from '../support/dump'

const pseudonymKey = 'the key of these tests'

/** Members whose every text is found nowhere else. */
const crowd = (count: number): SimulatedRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    UserId: `成员-${index}-id`,
    UserName: `成员-${index} "name"`,
    IPAddress: `2001:db8::${index + 1}`,
    Location: `成员-${index}-place`,
    HandUps: index,
    ...(index % 2 === 0 && { Nick: `成员-${index}-nick`, Score: 2 }),
  }))

async function rowOf({ db }: TestArchive, roomId: bigint, handUps: number) {
  const { rows } = await sql<Record<string, unknown>>`
    select user_id, user_name, ip_address, location, extra from archive.member_records
    where room_id = ${roomId} and hand_ups = ${handUps}`.execute(db)
  return rows[0]
}

test.each(['pseudonymise', 'drop'] as const)(
  'where personal data are to %s, none of them are stored, and all else works',
  async (mode) => {
    const personalData = { mode, pseudonymKey }
    const archive = await openTestArchive({ policy: { giveUpAfterMs: 86_400_000, personalData } })
    const { db, school, context } = archive
    const sweep = () => sweepAndDescribe(context, { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * 3_600_000 })
    const room = school.addRoom({ members: crowd(30), teacherId: '成员-3-id' })
    Object.assign(room.figures, { Host: '成员-3 "name"' })
    const again = school.addRoom({ members: crowd(4), teacherId: '成员-3-id' })
    const sweeping = await sweep()
    expect(sweeping.reports).toMatchObject([{ newJobs: 2 }])
    for (const { roomId } of [room, again]) await archive.archive(roomId)
    await sweep()
    const config = { acceptUnsigned: true, sdkAppIds: [], isReduced: true }
    const receive = createCallbackReceiver({ config, db, now: context.now, clock: context.clock })
    const body = `{"EventType":"RoomEnd","Timestamp":17,"Sign":"成员","EventData":{"RoomId":${room.roomId},"Who":"成员-3-id"}}`
    await receive({ method: 'POST', body }, context.log)
    // Nothing new is nothing new; a change is a change of the one member; so few read again is evidence.
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged' })
    Object.assign(room.members[5] ?? {}, { HandUps: 500, UserName: '成员-renamed' })
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', updated: 1, removed: 0 })
    room.members.pop()
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'shrunk' })
    expect(await replayRoom(db, room.roomId)).toMatchObject({ inserted: 0, updated: 0, removed: 0 })

    const dump = await dumpArchive(db)
    expect(valuesWith(dump, ['成员', '2001:db8'])).toEqual([])
    const callbacks = dump.filter((value) => value.startsWith('callbacks.body'))
    expect(callbacks).toEqual([
      `callbacks.body: { "EventType" : "RoomEnd", "Timestamp" : 17, "EventData" : {"RoomId" : ${room.roomId}} }`,
    ])
    // The same person is the same in every room, and as a teacher; and no kind of value tells another.
    const [here, there] = [await rowOf(archive, room.roomId, 3), await rowOf(archive, again.roomId, 3)]
    expect(here).toEqual(there)
    expect(here?.user_id).toMatch(/^user-[0-9a-f]{32}$/)
    const taught = await sql`select from archive.rooms where teacher_id = ${here?.user_id}`.execute(db)
    expect(taught.rows).toHaveLength(2)
    const even = await rowOf(archive, room.roomId, 4)
    if (mode === 'drop') expect(even).toMatchObject({ user_name: null, ip_address: null, location: null, extra: {} })
    else {
      expect(even).toMatchObject({
        user_name: expect.stringMatching(/^name-/),
        ip_address: expect.stringMatching(/^ip-/),
      })
      expect(even).toMatchObject({ location: expect.stringMatching(/^location-/), extra: { Score: 2 } })
    }

    // Erased by his own id, he is gone under his pseudonym; LCIC keeps sending him.
    const options = { personalData, now: context.now(), clock: context.clock }
    expect(await eraseMember(db, { ...options, userId: '成员-3-id' })).toMatchObject({
      rooms: 2,
      members: 2,
      taught: 2,
    })
    for (const { roomId } of [room, again]) await archive.archive(roomId)
    await sweep()
    expect(valuesWith(await dumpArchive(db), [String(here?.user_id)])).toEqual([])
    expect(await archive.archive(again.roomId)).toMatchObject({ outcome: 'unchanged', records: 3 })
    await archive.close()
  },
)

test('who was erased before there were pseudonyms is no teacher under one', async () => {
  const personalData = { mode: 'pseudonymise', pseudonymKey } as const
  const archive = await openTestArchive({ policy: { giveUpAfterMs: 86_400_000, personalData } })
  const { db, school, context } = archive
  await eraseMember(db, { userId: 'ada', now: context.now(), clock: context.clock })
  // A room is asked for its teacher once it is archived.
  for (const teacherId of ['ada', 'grace']) await archive.archive(school.addRoom({ teacherId }).roomId)
  await sweepAndDescribe(context, { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * 3_600_000 })
  const known = await db.selectFrom('archive.known_rooms').select('teacher_id').orderBy('room_id').execute()
  expect(known.map(({ teacher_id }) => teacher_id)).toEqual(['', expect.stringMatching(/^user-[0-9a-f]{32}$/)])
  await archive.close()
})

const DAY = 86_400_000

test.each(postgresVersions)(
  'on PostgreSQL %i, prune deletes what was kept long enough of settled rooms, and nothing else',
  async (version) => {
    const archive = await openTestArchive({ version })
    const { db, school, context } = archive
    const endedDaysAgo = (days: number) => {
      const scheduledEndAt = Math.floor(Date.now() / 1000) - days * 86_400
      return school.addRoom({ members: 10, scheduledEndAt })
    }
    const [old, recent, waiting] = [endedDaysAgo(400), endedDaysAgo(100), endedDaysAgo(400)]
    for (const { roomId } of [old, recent, waiting]) await archive.archive(roomId)
    Object.assign(old.members[0] ?? {}, { HandUps: 99 })
    await archive.archive(old.roomId)
    await sql`update archive.jobs set due_at = now() + interval '1 hour' where room_id = ${waiting.roomId}`.execute(db)
    await sql`update archive.raw_pages set fetched_at = fetched_at - interval '50 days' where room_id <> ${recent.roomId}`.execute(
      db,
    )
    const callbackOf = (daysAgo: number) =>
      storeCallbacks(db, {
        callbacks: [{ roomId: recent.roomId, sdkAppId: null, eventType: 'RoomEnd', body: '{"RoomId":1}' }],
        now: new Date(Date.now() - daysAgo * DAY),
      })
    for (const daysAgo of [200, 100, 1]) await callbackOf(daysAgo)
    const counts = async () => {
      const { rows } = await sql`
      select (select array_agg(distinct room_id::text order by room_id::text) from archive.member_records) as members,
        (select array_agg(distinct room_id::text order by room_id::text) from archive.raw_pages) as pages,
        (select count(*) from archive.history)::int as history, (select count(*) from archive.rooms)::int as rooms,
        (select count(*) from archive.callbacks)::int as callbacks`.execute(db)
      return rows[0]
    }
    const ids = (...rooms: { roomId: bigint }[]) => rooms.map(({ roomId }) => String(roomId)).sort()
    const now = context.now()
    const options = { now, retention: { rawPagesMs: 30 * DAY, callbacksMs: 90 * DAY } }

    // What is to be kept for ever stays, and a plan deletes nothing.
    const before = await counts()
    expect(await prune(db, { now, retention: {} })).toStrictEqual({})
    const planned = await prune(db, { ...options, plan: true })
    expect(planned).toEqual({ rawPages: { rooms: 1, pages: 2 }, callbacks: 2 })
    expect(await counts()).toEqual(before)

    // Raw pages: those of the settled room that was fetched long ago. What LCIC says is compared all the same.
    expect(await prune(db, options)).toEqual(planned)
    expect(await counts()).toMatchObject({
      members: ids(old, recent, waiting),
      pages: ids(recent, waiting),
      callbacks: 1,
    })
    expect(await prune(db, options)).toEqual({ rawPages: { rooms: 0, pages: 0 }, callbacks: 0 })
    expect(await archivedRoomIds(db)).toEqual([recent.roomId, waiting.roomId])
    await expect(replayRoom(db, old.roomId)).rejects.toThrow('its raw pages were deleted by prune')
    expect(await archive.archive(old.roomId)).toMatchObject({ outcome: 'unchanged' })
    expect(await prune(db, options)).toMatchObject({ rawPages: { rooms: 0 } })

    // Members: those of rooms that ended long ago, with their earlier values and pages; the room stays.
    Object.assign(old.members[0] ?? {}, { HandUps: 98 })
    await archive.archive(old.roomId)
    const members = { now, retention: { membersMs: 365 * DAY, rawPagesMs: 30 * DAY } }
    const expected = { members: { rooms: 1, pages: 1, members: 10 }, rawPages: { rooms: 0, pages: 0 } }
    expect(await prune(db, { ...members, plan: true })).toEqual(expected)
    const alone = { now, retention: { membersMs: 365 * DAY }, plan: true }
    expect(await prune(db, alone)).toStrictEqual({ members: expected.members })
    expect(await prune(db, members)).toEqual(expected)
    expect(await counts()).toMatchObject({
      members: ids(recent, waiting),
      pages: ids(recent, waiting),
      history: 0,
      rooms: 3,
    })
    const row = () => db.selectFrom('archive.rooms').selectAll().where('room_id', '=', old.roomId).executeTakeFirst()
    expect(await row()).toMatchObject({
      total: 10,
      revision: 4,
      members_pruned_at: now,
      pages_pruned_at: now,
      changed_at: now,
    })

    // Nothing brings them back.
    const requests = archive.simulator.requests.length
    const [pruned, report] = [await row(), await archive.archive(old.roomId)]
    expect(report).toMatchObject({ outcome: 'unchanged', state: 'archived', requests: 0, inserted: 0 })
    expect(report.message).toContain('were deleted by prune')
    expect(archive.simulator.requests).toHaveLength(requests)
    await expect(replayRoom(db, old.roomId)).rejects.toThrow('its members were deleted by prune')
    expect(await row()).toEqual(pruned)
    expect(await counts()).toMatchObject({ members: ids(recent, waiting), rooms: 3 })
    expect(await prune(db, members)).toMatchObject({ members: { rooms: 0 } })
    await archive.close()
  },
)

test('prune tells how far it has come, a hundred rooms at a time', async () => {
  const archive = await openTestArchive()
  const hints = Array.from({ length: 250 }, (_, index) => ({ roomId: BigInt(index + 1) }))
  await hintRooms(archive.db, { hints, hintedBy: 'sweep', now: databaseTime })
  const seen: unknown[] = []
  const onProgress = (progress: unknown) => seen.push(progress)
  await prune(archive.db, { now: databaseTime, retention: { membersMs: DAY }, onProgress })
  const of = expect.any(Number)
  expect(seen).toEqual([100, 200, 250].map((rooms) => ({ rooms, of })))
  await archive.close()
})
