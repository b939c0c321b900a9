import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { claimNamedRoom } from '../../lib/archive/claim'
import { roomFacts } from '../../lib/archive/take-snapshot'
import { archiveNewRoom, type NewRoom } from '../../lib/db/archive-new-room'
import { awaitWriters } from '../../lib/db/await-writers'
import { beginAttempts } from '../../lib/db/begin-attempt'
import { landPage } from '../../lib/db/land-page'
import type { Lease } from '../../lib/db/leases'
import { encodeMembers } from '../../lib/db/member-columns'
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

/** A room of one page, which is landed already, or is landed with it. */
async function newRoom(
  records: readonly object[],
  { total = records.length, isLanded = true }: { total?: number; isLanded?: boolean } = {},
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
    members: [encodeMembers(members)],
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
const ways = [
  ['that is landed with it', false],
  ['that is landed', true],
] as const

test.each(ways)('a room of a page %s is archived whole', async (_, isLanded) => {
  expect(await archiveNewRoom(archive.db, await newRoom(users('a', 'b'), { isLanded }))).toBe(true)
  const settled = { state: 'archived', settled: true, rooms: 1, members: 2, pages: 1, outcome: 'archived' }
  expect(await found()).toEqual(settled)
})

test.each(ways)('of a page %s nothing is written once the lease is lost', async (_, isLanded) => {
  const room = await newRoom(users('a', 'b'), { isLanded })
  await sql`update archive.jobs set leased_by = 'another' where room_id = ${roomId}`.execute(archive.db)
  expect(await archiveNewRoom(archive.db, room)).toBe(false)
  expect(await found()).toEqual(nothing(isLanded ? 1 : 0))
})

test.each(ways)(
  'of a page %s nothing is written that is not as many records as were announced',
  async (_, isLanded) => {
    expect(await archiveNewRoom(archive.db, await newRoom(users('a', 'b'), { total: 3, isLanded }))).toBe(false)
    expect(await found()).toEqual(nothing(isLanded ? 1 : 0))
  },
)

test.each(ways)(
  'of a page %s nothing is written that lists a user twice, or one without an id',
  async (_, isLanded) => {
    const room = await newRoom(users('a', 'a'), { isLanded })
    expect(await archiveNewRoom(archive.db, room)).toBe(false)
    const members = [encodeMembers(users('a', ''))]
    expect(await archiveNewRoom(archive.db, { ...room, members })).toBe(false)
    expect(await found()).toEqual(nothing(isLanded ? 1 : 0))
  },
)

test.each(ways)('of a page %s nothing is written if other records come than the page has', async (_, isLanded) => {
  const room = await newRoom(users('a', 'b'), { isLanded })
  expect(await archiveNewRoom(archive.db, { ...room, members: [encodeMembers(users('a'))] })).toBe(false)
  expect(await found()).toEqual(nothing(isLanded ? 1 : 0))
})

test.each(ways)('an erasure waits for a room of a page %s, or the room is not written', async (_, isLanded) => {
  const { db } = archive
  const room = await newRoom(users('a', 'b'), { isLanded })
  await db.transaction().execute(async (tx) => {
    expect(await archiveNewRoom(tx, room)).toBe(true)
    expect(await awaitWriters(db, 'raw_pages')).toBe(false)
    await sql`rollback`.execute(tx)
    await sql`begin`.execute(tx)
  })
  await sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
  expect(await archiveNewRoom(db, room)).toBe(false)
  expect(await found()).toEqual(nothing(isLanded ? 1 : 0))
  await sql`delete from archive.erasures`.execute(db)
})
