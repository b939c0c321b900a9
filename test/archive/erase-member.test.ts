import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiveRoom } from '../../lib/archive/archive-room'
import { claimNamedRoom } from '../../lib/archive/claim'
import type { ArchiveContext } from '../../lib/archive/context'
import { type EraseOptions, eraseMember } from '../../lib/archive/erase-member'
import { createCallbackReceiver } from '../../lib/archive/receive-callback'
import { replayRoom } from '../../lib/archive/replay-room'
import { sweepAndDescribe } from '../../lib/archive/sweep-and-describe'
import { hashOf } from '../../lib/archive/take-snapshot'
import { beginAttempts } from '../../lib/db/begin-attempt'
import { unfinishedErasures } from '../../lib/db/erasures'
import { hintRooms } from '../../lib/db/hint-rooms'
import { landPage } from '../../lib/db/land-page'
import { landedPages } from '../../lib/db/landed-pages'
import { archivedRoomIds } from '../../lib/db/replay-attempts'
import { requireOwner } from '../../lib/db/require-owner'
import { readStoredPage } from '../../lib/lcic/statistics'
import type { SimulatedRecord } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { dumpArchive, valuesWith } from '../support/dump'
import { keepOutOfLogs } from '../support/log-directory'

const id = 'ada-学生-007'
const personal = [id, 'Adaeze Erased', '203.0.113.77', 'Nowhere-on-Sea']
keepOutOfLogs(personal.slice(1))
const [, UserName = '', IPAddress = '', Location = ''] = personal
const ada = (rest: Partial<SimulatedRecord> = {}): SimulatedRecord => ({
  UserId: id,
  UserName,
  IPAddress,
  Location,
  ...rest,
})
const others = (count: number): SimulatedRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    UserId: `pupil-${index}`,
    UserName: `Pupil ${index}`,
    HandUps: index,
  }))

const eraseIn = ({ db, context }: Pick<TestArchive, 'db' | 'context'>, options: Partial<EraseOptions> = {}) =>
  eraseMember(db, { userId: id, now: context.now(), clock: context.clock, ...options })

async function tables({ db }: TestArchive) {
  const rooms = await db.selectFrom('archive.rooms').selectAll().orderBy('room_id').execute()
  const members = await db
    .selectFrom('archive.member_records')
    .selectAll()
    .orderBy('room_id')
    .orderBy('user_id')
    .execute()
  return { rooms, members }
}

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let archive: TestArchive
  beforeAll(async () => {
    archive = await openTestArchive({ version })
  })
  afterAll(() => archive?.close())

  test('an erased member is gone from everywhere, however often it was stopped, and stays gone', async () => {
    const { db, school, context } = archive
    const sweep = () => sweepAndDescribe(context, { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * 3_600_000 })
    const callbacks = createCallbackReceiver({
      config: { acceptUnsigned: true, sdkAppIds: [] },
      db,
      now: context.now,
      clock: context.clock,
    })
    const call = (roomId: bigint) =>
      callbacks(
        {
          method: 'POST',
          body: `{"EventType":"RoomEnd","Operator":"${id}","EventData":{"RoomId":${roomId},"Who":"${id}"}}`,
        },
        context.log,
      )
    const add = (members: SimulatedRecord[], rest = {}) => school.addRoom({ members, ...rest })
    const changed = add([...others(5), ada()])
    const twice = add([...others(4), ada({ PresentTime: 60 }), ada({ PresentTime: 90 })])
    const shrinking = add([...others(6), ada()])
    const removed = add([...others(3), ada()])
    const nameless = add([{ UserId: '' }, ada(), ...others(1)])
    const large = add([...others(1100), ada()])
    const taught = add(others(3), { teacherId: id })
    const naming = add([{ UserId: 'pupil-0', ...{ InvitedBy: id } }], { figures: { ...{ Host: id } } })
    const untouched = add(others(3))
    const all = [changed, twice, shrinking, removed, nameless, large, taught, naming, untouched]
    await sweep()
    for (const { roomId } of all) await archive.archive(roomId)
    await sweep()
    const edit = (room: { members: SimulatedRecord[] }, index: number, HandUps: number) =>
      Object.assign(room.members[index] ?? {}, { HandUps })
    edit(changed, 5, 77)
    shrinking.members = shrinking.members.slice(1)
    removed.members = removed.members.slice(0, 3)
    edit(large, 0, 42)
    for (const { roomId } of [changed, shrinking, removed, removed, large]) await archive.archive(roomId)
    await call(untouched.roomId)
    await sql`
      update archive.runs set error_message = ${`Room: ${UserName} of ${IPAddress} is listed twice`}
      where room_id = ${changed.roomId}`.execute(db)
    await sql`update archive.jobs set last_error_message = ${`(${id})`} where room_id = ${twice.roomId}`.execute(db)
    // As another encoder would have written it.
    const escaped = [...id].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
    await sql`
      update archive.raw_pages set body = replace(body::text, ${id}, ${escaped})::json
      where room_id = ${shrinking.roomId} and attempt = 1`.execute(db)

    // A plan says what is there, and leaves it.
    const before = await dumpArchive(db)
    expect(valuesWith(before, personal).length).toBeGreaterThan(30)
    const planned = await eraseIn(archive, { plan: true })
    expect(planned).toEqual({ rooms: 7, members: 5, history: 1, records: 12, mentions: 6, taught: 1, callbacks: 1 })
    expect(await dumpArchive(db)).toEqual(before)
    const untouchedBefore = (await tables(archive)).rooms.find(({ room_id }) => room_id === untouched.roomId)

    // Half of it is done when the database fails; asked for again, it goes on.
    await sql`
      create function fail() returns trigger language plpgsql as ${sql.lit('begin raise exception $$no more$$; end')}`.execute(
      db,
    )
    await sql`
      create trigger failure before delete on archive.member_records for each row
      when (old.room_id = ${sql.lit(Number(removed.roomId))}) execute function fail()`.execute(db)
    await expect(eraseIn(archive)).rejects.toThrow('no more')
    expect(await unfinishedErasures(db)).toBe(1)
    await sql`drop trigger failure on archive.member_records`.execute(db)
    const again = await eraseIn(archive)
    expect(again.rooms).toBeLessThan(planned.rooms)
    expect(await unfinishedErasures(db)).toBe(0)
    const { rows: records } = await sql`select rooms, scanned_to from archive.erasures`.execute(db)
    expect(records).toEqual([{ rooms: planned.rooms + planned.taught, scanned_to: null }])
    // Of nobody's records there were two: pages that only named him had none of his.
    const listedOnce = all.filter((room) => room !== twice).map(({ roomId }) => roomId)
    const runs = await db.selectFrom('archive.runs').select('duplicates').where('room_id', 'in', listedOnce).execute()
    expect(runs.filter(({ duplicates }) => duplicates)).toEqual([])
    expect(valuesWith(await dumpArchive(db), personal)).toEqual([])

    // Figures stay, and say how many records are left out; exports notice.
    const erased = await tables(archive)
    const room = (roomId: bigint) => erased.rooms.find(({ room_id }) => room_id === roomId)
    expect(room(changed.roomId)).toMatchObject({ total: 6, erased: 1, revision: 3 })
    expect(room(twice.roomId)).toMatchObject({ total: 6, erased: 2 })
    expect(room(removed.roomId)).toMatchObject({ total: 3, erased: 0 })
    expect(room(large.roomId)).toMatchObject({ total: 1101, erased: 1 })
    expect(room(taught.roomId)).toMatchObject({ teacher_id: '', erased: 0, revision: 2 })
    expect(room(untouched.roomId)).toEqual(untouchedBefore)
    expect(erased.members.filter(({ room_id }) => room_id === large.roomId)).toHaveLength(1100)

    // LCIC still lists the member: nothing of that is new, or brings him back.
    removed.members = [...others(3), ada()]
    for (const { roomId } of [changed, twice, large, taught, untouched])
      expect(await archive.archive(roomId)).toMatchObject({ outcome: 'unchanged', records: expect.any(Number) })
    expect(await archive.archive(removed.roomId)).toMatchObject({ outcome: 'archived', inserted: 0, records: 3 })
    edit(twice, 0, 55)
    expect(await archive.archive(twice.roomId)).toMatchObject({
      outcome: 'archived',
      updated: 1,
      duplicates: 0,
      records: 4,
    })
    // A read that says the same as one of before the erasure confirms it.
    expect(await archive.archive(shrinking.roomId)).toMatchObject({ outcome: 'archived', removed: 1 })
    expect((await archive.archive(nameless.roomId)).message).toContain('1 of 2 records name no user')
    taught.name = 'Renamed'
    await sql`update archive.rooms set teacher_id = null`.execute(db)
    await sql`update archive.known_rooms set teacher_id = null`.execute(db)
    await sweep()
    await call(untouched.roomId)
    expect(valuesWith(await dumpArchive(db), personal)).toEqual([])

    // So does a replay, even of pages that somebody has restored.
    const rebuilt = await tables(archive)
    await sql`truncate archive.rooms, archive.member_records`.execute(db)
    for (const roomId of await archivedRoomIds(db)) await replayRoom(db, roomId)
    const counts = ({ rooms, members }: typeof rebuilt) => [
      members.map(({ room_id, user_id }) => [room_id, user_id]),
      rooms.map(({ room_id, total, erased }) => [room_id, total, erased]),
    ]
    expect(counts(await tables(archive))).toEqual(counts(rebuilt))
    const body = JSON.stringify({ Response: { Total: 2, MemberRecords: [ada(), ...others(1)], RequestId: 'r-1' } })
    await sql`
      update archive.raw_pages set body = ${body}::json, records = null, erased = 0, record_count = 2
      where room_id = ${untouched.roomId}`.execute(db)
    expect(await replayRoom(db, untouched.roomId)).toMatchObject({ records: 1, removed: 2 })
    const { attempt, content_hash } = await db
      .selectFrom('archive.rooms')
      .select(['attempt', 'content_hash'])
      .where('room_id', '=', untouched.roomId)
      .executeTakeFirstOrThrow()
    expect(content_hash).toBe(hashOf(await landedPages(db, { roomId: untouched.roomId, attempt })))
    expect(valuesWith(await dumpArchive(db), personal)).toEqual([])
    expect(await eraseIn(archive)).toMatchObject({ rooms: 0, members: 0, records: 0, taught: 0, callbacks: 0 })

    // One that is stopped when all rooms of a portion are done does not look through them again.
    const stop = new AbortController()
    const pupil = { userId: 'pupil-0', signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) }
    await expect(eraseIn(archive, pupil)).rejects.toThrow('stopped')
    expect(await unfinishedErasures(db)).toBe(1)
    expect(valuesWith(await dumpArchive(db), ['pupil-0', 'Pupil 0'])).toEqual([])
    await sql`update archive.raw_pages set figures = '{"x":"pupil-0"}' where room_id = ${untouched.roomId}`.execute(db)
    expect(await eraseIn(archive, { userId: 'pupil-0' })).toMatchObject({ rooms: 0 })
    expect(await unfinishedErasures(db)).toBe(0)
  })

  test('a worker that is pulling pages lands none with a member who is erased meanwhile', async () => {
    const { db, school, context } = archive
    const userId = 'meanwhile-1'
    const crowd = others(1500)
    await sql`delete from archive.erasures`.execute(db)
    for (const [index, page] of [
      [0, 1],
      [1400, 2],
    ] as const) {
      const room = school.addRoom({
        members: [...crowd.slice(0, index), { UserId: userId, UserName: `Name of ${userId}` }, ...crowd.slice(index)],
      })
      // The second page arrives just when the erasure is through.
      const lcic: ArchiveContext['lcic'] = {
        ...context.lcic,
        async describeRoomStatistics(...args) {
          const answer = await context.lcic.describeRoomStatistics(...args)
          if (args[1] === 2) await eraseIn(archive, { userId })
          return answer
        },
      }
      const report = await archiveRoom({ ...context, lcic }, room.roomId, { waitMs: 0 })
      expect(report, `on page ${page}`).toMatchObject({
        outcome: 'archived',
        records: 1500,
        inserted: 1500,
        requests: 2,
      })
      expect(valuesWith(await dumpArchive(db), [userId])).toEqual([])
      expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'unchanged', records: 1500 })
      await sql`delete from archive.erasures`.execute(db)
    }
  })

  test('an erasure waits for a page that is being landed, and finds it', async () => {
    const { db, school, context } = archive
    const userId = 'being-landed-1'
    const room = school.addRoom({ members: 3 })
    const lease = await claimNamedRoom(context, room.roomId, { waitMs: 0 })
    if (!lease) throw new Error('no lease')
    const now = context.now()
    const begun = (await beginAttempts(db, { leases: [lease], now, resumeWithinMs: 1000 })).get(lease.roomId)
    const answer = readStoredPage(`{"Response":{"Total":1,"MemberRecords":[{"UserId":"${userId}"}],"RequestId":"r-2"}}`)
    const { body, requestId, figures, recordCount, contentHash } = answer
    const page = { attempt: 1, page: 1, requestId, content: { body }, figures, recordCount, contentHash, erased: 0 }
    const erasuresSeen = begun?.newestErasure ?? 0n
    const erasure = await db.transaction().execute(async (tx) => {
      expect(await landPage(tx, { lease, now, page, erasuresSeen })).toBe('landed')
      const erasing = eraseIn(archive, { userId })
      const waiting = sql`select from pg_locks where not granted and mode = 'ShareLock' and relation = 'archive.raw_pages'::regclass`
      while ((await waiting.execute(db)).rows.length === 0) await new Promise(setImmediate)
      return { erasing }
    })
    expect(await erasure.erasing).toMatchObject({ rooms: 1, records: 1 })
    expect(await landPage(db, { lease, now, page: { ...page, page: 2 }, erasuresSeen })).toBe('outdated')
    expect(await landPage(db, { lease: { ...lease, holder: 'nobody' }, now, page, erasuresSeen })).toBe('lost')
    expect(valuesWith(await dumpArchive(db), [userId])).toEqual([])
  })
})

test('a user of the same id in another app is somebody else', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const [mine, theirs] = [1400000001, 1400000002].map((sdkAppId) =>
    school.addRoom({ sdkAppId, members: [{ UserId: 'shared-1' }, ...others(1)] }),
  )
  if (!mine || !theirs) throw new Error('no rooms')
  for (const { roomId, sdkAppId } of [mine, theirs]) {
    await archive.archive(roomId)
    await sql`update archive.jobs set sdk_app_id = ${sdkAppId} where room_id = ${roomId}`.execute(db)
  }
  const report = await eraseIn(archive, { userId: 'shared-1', sdkAppId: 1400000001n })
  expect(report).toMatchObject({ rooms: 1, members: 1 })
  await sql`truncate archive.rooms, archive.member_records, archive.raw_pages`.execute(db)
  for (const [{ roomId }, records] of [
    [mine, 1],
    [theirs, 2],
  ] as const)
    expect(await archive.archive(roomId)).toMatchObject({ outcome: 'archived', inserted: records })
  await archive.close()
})

test('who may not delete is told which role it takes', async () => {
  const archive = await openTestArchive()
  await archive.db.connection().execute(async (session) => {
    await requireOwner(session)
    await sql`set role lcic_writer`.execute(session)
    await expect(requireOwner(session)).rejects.toThrow(
      'Role lcic_writer may not delete from the archive. Set DATABASE_URL to a login that is in lcic_migrator',
    )
    await sql`reset role`.execute(session)
  })
  await archive.close()
})

test.each([
  ['rows', 'raw_pages'],
  ['pages', 'member_records'],
])('messages that quote what the %s tell of him are rid of it, longer texts first', async (_, lost) => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const { roomId } = school.addRoom({ members: [ada({ UserName: 'Adaeze', Location: 'Adaeze on Sea' }), ...others(1)] })
  await archive.archive(roomId)
  await sql`delete from ${sql.id('archive', lost)} where room_id = ${roomId}`.execute(db)
  const message = 'Adaeze on Sea is where Adaeze, not Adaezes, was; 203.0.113.77, and 203.0.113.7.'
  await sql`update archive.jobs set last_error_message = ${message} where room_id = ${roomId}`.execute(db)
  await sql`update archive.runs set error_message = 'Nobody.' where room_id = ${roomId}`.execute(db)
  expect(await eraseIn(archive)).toMatchObject({ rooms: 1, mentions: 1 })
  const { rows } = await sql`
    select j.last_error_message as job, u.error_message as run
    from archive.jobs j join archive.runs u using (room_id) where room_id = ${roomId}`.execute(db)
  const rest = '(erased) is where (erased), not Adaezes, was; (erased), and 203.0.113.7.'
  expect(rows).toEqual([{ job: rest, run: 'Nobody.' }])
  await archive.close()
})

test('it tells how far it has come, 200 rooms at a time, and one that was stopped goes on there', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const room = school.addRoom({ roomId: 1000n, members: [ada(), ...others(1)] })
  await archive.archive(room.roomId)
  const hints = Array.from({ length: 250 }, (_, index) => ({ roomId: BigInt(index + 1) }))
  await hintRooms(db, { hints, hintedBy: 'sweep', now: archive.context.now() })
  const of = expect.any(Number)
  const stop = new AbortController()
  const seen: unknown[] = []
  const onProgress = (progress: unknown) => {
    seen.push(progress)
    stop.abort(new Error('enough'))
  }
  await expect(eraseIn(archive, { onProgress, signal: stop.signal })).rejects.toThrow('enough')
  expect(seen).toEqual([{ rooms: 200, of }])
  expect(await unfinishedErasures(db)).toBe(1)
  seen.length = 0
  // A plan looks at all of them, and remembers nothing.
  await eraseIn(archive, { plan: true, onProgress })
  expect(seen).toEqual([200, 251].map((rooms) => ({ rooms, of })))
  seen.length = 0
  expect(await eraseIn(archive, { onProgress })).toMatchObject({ rooms: 1, members: 1, records: 1 })
  expect(seen).toEqual([{ rooms: 51, of }])
  expect(await unfinishedErasures(db)).toBe(0)
  await archive.close()
})

test('rooms count in which something of him was; who was removed before is not missing from the total, and who is not known of what app is looked at, too', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const apps = [1400000001, 1400000002, undefined]
  const rooms = apps.map(() => school.addRoom({ members: [ada(), ...others(2)] }))
  for (const [index, { roomId }] of rooms.entries()) {
    await archive.archive(roomId)
    await sql`update archive.rooms set sdk_app_id = ${apps[index] ?? null} where room_id = ${roomId}`.execute(db)
    await sql`update archive.jobs set sdk_app_id = ${apps[index] ?? null} where room_id = ${roomId}`.execute(db)
  }
  const removed = school.addRoom({ members: [ada(), ...others(2)] })
  await archive.archive(removed.roomId)
  removed.members = others(2)
  for (let reads = 0; reads < 2; reads++) await archive.archive(removed.roomId)
  // Where there are no pages to count, the rows are what tells.
  const present = school.addRoom({ members: [ada(), ...others(2)] })
  await archive.archive(present.roomId)
  for (const { roomId } of [removed, present])
    await sql`delete from archive.raw_pages where room_id = ${roomId}`.execute(db)
  const report = await eraseIn(archive, { sdkAppId: 1400000001n })
  const { rows } = await sql<{ rooms: number }>`select rooms from archive.erasures`.execute(db)
  expect({ report: report.rooms, recorded: rows[0]?.rooms }).toEqual({ report: 4, recorded: 4 })
  const erased = await db.selectFrom('archive.rooms').select(['room_id', 'erased']).orderBy('room_id').execute()
  expect(erased.map((row) => row.erased)).toEqual([1, 0, 1, 0, 1])
  await archive.close()
})

test('whoever keeps writing is waited for sixty times; then it says so, and the erasure stays recorded', async () => {
  const archive = await openTestArchive()
  const tries: string[] = []
  const isTaken = (table: string) => {
    tries.push(table)
    return table === 'known_rooms' || tries.length < 3
  }
  const db = archive.db.withPlugin({
    transformQuery({ node }) {
      const name = /lock table .*(raw_pages|known_rooms)/.exec(JSON.stringify(node))?.[1]
      if (name && isTaken(name))
        throw Object.assign(new pg.DatabaseError('lock timeout', 1, 'error'), { code: '55P03' })
      return node
    },
    transformResult: async ({ result }) => result,
  })
  await expect(
    eraseMember(db, { userId: id, now: archive.context.now(), clock: archive.context.clock }),
  ).rejects.toMatchObject({
    code: 'E_ERASURE_BLOCKED',
    message: expect.stringContaining('archive.known_rooms'),
  })
  expect(tries).toEqual([...Array(3).fill('raw_pages'), ...Array(60).fill('known_rooms')])
  expect(await unfinishedErasures(archive.db)).toBe(1)
  await archive.close()
})

test('whoever only bears his id as a name, or quotes it, is somebody else', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const namesakes = [{ UserId: 'pupil-x', UserName: id, Said: `He is "${id}` }, ...others(1)]
  const { roomId } = school.addRoom({ members: namesakes })
  await archive.archive(roomId)
  const before = await tables(archive)
  expect(await eraseIn(archive)).toMatchObject({ rooms: 0, members: 0, records: 0, mentions: 0 })
  expect(await tables(archive)).toEqual(before)
  const { rows } = await sql`select from archive.raw_pages where erased > 0`.execute(db)
  expect(rows).toEqual([])
  await archive.close()
})

test('of records that were counted as duplicates his are not counted any more, but for the one that was kept', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const times = (UserId: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({ UserId, PresentTime: 60 + index }))
  const { roomId } = school.addRoom({
    members: [...times('thrice-1', 3), ...times('twice-1', 2), ...times('twice-2', 2), ...others(1)],
  })
  for (let reads = 0; reads < 3; reads++) await archive.archive(roomId)
  const duplicates = async () => {
    const query = db.selectFrom('archive.runs').select('duplicates').where('outcome', '=', 'archived')
    return (await query.executeTakeFirstOrThrow()).duplicates
  }
  expect(await duplicates()).toBe(4)
  await eraseIn(archive, { userId: 'twice-1' })
  expect(await duplicates()).toBe(3)
  await eraseIn(archive, { userId: 'thrice-1' })
  expect(await duplicates()).toBe(1)
  await archive.close()
})

test('a plan waits for nobody; rooms that he taught count, whether they are known or only archived', async () => {
  const archive = await openTestArchive()
  const { db, school } = archive
  const { roomId } = school.addRoom({ members: [ada({ UserName: '', IPAddress: '', Location: '' }), ...others(1)] })
  await archive.archive(roomId)
  await sql`update archive.rooms set teacher_id = ${id} where room_id = ${roomId}`.execute(db)
  await sql`update archive.runs set error_message = 'Nobody.' where room_id = ${roomId}`.execute(db)
  await db.transaction().execute(async (tx) => {
    await sql`select from archive.jobs for update`.execute(tx)
    expect(await eraseIn(archive, { plan: true })).toMatchObject({
      rooms: 1,
      members: 1,
      records: 1,
      taught: 1,
      mentions: 0,
    })
  })
  expect(await eraseIn(archive)).toMatchObject({ rooms: 1, members: 1, records: 1, taught: 1, mentions: 0 })
  await archive.close()
})
