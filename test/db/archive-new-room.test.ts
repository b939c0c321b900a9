import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { claimNamedRoom } from '../../lib/archive/claim'
import { roomFacts } from '../../lib/archive/take-snapshot'
import { archiveNewRoom, type NewRoom } from '../../lib/db/archive-new-room'
import { awaitWriters } from '../../lib/db/await-writers'
import { beginAttempts } from '../../lib/db/begin-attempt'
import { connect } from '../../lib/db/connect'
import { landPage } from '../../lib/db/land-page'
import type { Lease } from '../../lib/db/leases'
import { encodeMembers } from '../../lib/db/member-columns'
import type { Database } from '../../lib/db/tables'
import { readStoredPage } from '../../lib/lcic/statistics'
import { openTestArchive, type TestArchive } from '../support/archive'

let archive: TestArchive
let lease: Lease
let roomId = 0n
beforeAll(async () => {
  archive = await openTestArchive()
})
afterAll(() => archive.close())
beforeEach(async () => {
  roomId++
  const claimed = await claimNamedRoom(archive.context, roomId, { waitMs: 0 })
  if (!claimed) throw new Error('The room is not free.')
  lease = claimed
  await beginAttempts(archive.db, { leases: [lease], now: archive.context.now(), resumeWithinMs: 1000 })
})

const users = (...ids: string[]) => ids.map((UserId) => ({ UserId }))

interface Way {
  /** The page is landed already, or else is landed with the room. */
  readonly isLanded: boolean
  /** Each record is handed over by itself, as if each had come on a page of its own. */
  readonly isSplit?: boolean
}

async function newRoom(
  records: readonly object[],
  { total = records.length, isLanded, isSplit }: Way & { total?: number },
): Promise<NewRoom> {
  const { db, context } = archive
  const body = JSON.stringify({ Response: { Total: total, MemberRecords: records, RequestId: 'r-1' } })
  const { members, ...answer } = readStoredPage(body)
  const { requestId, figures, recordCount, contentHash } = answer
  const content = { body: answer.body }
  const page = { attempt: 1, page: 1, requestId, content, figures, recordCount, erased: 0, contentHash }
  const now = context.now()
  if (isLanded) expect(await landPage(db, { lease, now, page, erasuresSeen: 0n })).toBe('landed')
  return {
    room: roomFacts(roomId, figures),
    leftOut: 0,
    run: { roomId, attempt: 1, now, outcome: 'archived', requestIds: [requestId], contentHash },
    completion: { lease, now, endedAt: null, requestId, rereadAfterMs: undefined },
    erasuresSeen: 0n,
    members: isSplit ? members.map((member) => encodeMembers([member])) : [encodeMembers(members)],
    onlyPage: isLanded ? undefined : page,
  }
}

/** What there is of the room. */
async function found(): Promise<unknown> {
  const { rows } = await sql`
    select state, leased_by is null as settled,
      (select count(*)::int from archive.rooms where room_id = ${roomId}) as rooms,
      (select count(*)::int from archive.member_records where room_id = ${roomId}) as members,
      (select count(*)::int from archive.raw_pages where room_id = ${roomId}) as pages,
      (select outcome from archive.runs where room_id = ${roomId}) as outcome
    from archive.jobs where room_id = ${roomId}`.execute(archive.db)
  return rows[0]
}

const nothing = (pages: number) => ({ state: 'pending', settled: false, rooms: 0, members: 0, pages, outcome: null })
const ways: readonly (readonly [string, Way])[] = [
  ['a page that is landed with it', { isLanded: false }],
  ['a page that is landed', { isLanded: true }],
  ['several pages', { isLanded: true, isSplit: true }],
]

test.each(ways)('a room of %s is archived whole', async (_, way) => {
  expect(await archiveNewRoom(archive.db, await newRoom(users('a', 'b'), way))).toBe(true)
  const settled = { state: 'archived', settled: true, rooms: 1, members: 2, pages: 1, outcome: 'archived' }
  expect(await found()).toEqual(settled)
})

test.each(ways)('of %s nothing is written once the lease is lost', async (_, way) => {
  const room = await newRoom(users('a', 'b'), way)
  await sql`update archive.jobs set leased_by = 'another' where room_id = ${roomId}`.execute(archive.db)
  expect(await archiveNewRoom(archive.db, room)).toBe(false)
  expect(await found()).toEqual(nothing(way.isLanded ? 1 : 0))
})

test.each(ways)('of %s nothing is written that is not as many records as were announced', async (_, way) => {
  expect(await archiveNewRoom(archive.db, await newRoom(users('a', 'b'), { total: 3, ...way }))).toBe(false)
  expect(await found()).toEqual(nothing(way.isLanded ? 1 : 0))
})

test.each(ways)('of %s nothing is written that lists a user twice, or one without an id', async (_, way) => {
  const room = await newRoom(users('a', 'a'), way)
  expect(await archiveNewRoom(archive.db, room)).toBe(false)
  const { members } = await newRoom(users('a', ''), { ...way, isLanded: false })
  expect(await archiveNewRoom(archive.db, { ...room, members })).toBe(false)
  expect(await found()).toEqual(nothing(way.isLanded ? 1 : 0))
})

test.each(ways)('of %s nothing is written if other records come than the page has', async (_, way) => {
  const room = await newRoom(users('a', 'b'), way)
  const { members } = await newRoom(way.isSplit ? users('a', 'b', 'c') : users('a'), { ...way, isLanded: false })
  expect(await archiveNewRoom(archive.db, { ...room, members })).toBe(false)
  expect(await found()).toEqual(nothing(way.isLanded ? 1 : 0))
})

test.each(ways)('an erasure waits for a room of %s, or the room is not written', async (_, way) => {
  const { db } = archive
  const room = await newRoom(users('a', 'b'), way)
  const other = connect({ url: archive.url })
  // Holds it up where it writes the room, which is after it has locked raw_pages.
  const written = await other.transaction().execute(async (tx) => {
    await sql`lock table archive.rooms in exclusive mode`.execute(tx)
    const archiving = archiveNewRoom(db, { ...room, erasuresSeen: 0n })
    await untilSomebodyWaits(tx)
    expect(await awaitWriters(other, 'raw_pages')).toBe(false)
    return { archiving }
  })
  expect(await written.archiving).toBe(true)
  await other.destroy()
})

async function untilSomebodyWaits(tx: Kysely<Database>): Promise<void> {
  for (;;) {
    const { rows } = await sql`select from pg_locks where not granted and relation = 'archive.rooms'::regclass`.execute(
      tx,
    )
    if (rows.length > 0) return
  }
}

test.each(ways)('a room of %s is not written once somebody was erased', async (_, way) => {
  const { db } = archive
  const room = await newRoom(users('a', 'b'), way)
  await sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
  expect(await archiveNewRoom(db, room)).toBe(false)
  expect(await found()).toEqual(nothing(way.isLanded ? 1 : 0))
  await sql`delete from archive.erasures`.execute(db)
})
