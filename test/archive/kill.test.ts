import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { replayRoom } from '../../lib/archive/replay-room'
import { systemClock } from '../../lib/clock'
import type { SimulatedRecord, SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import type { MortalPoint } from '../support/mortal'
import { createMortals, type Mortals } from '../support/spawn-mortal'
import { expectTruth } from '../support/truth'

const PAGES = 5
const MEMBERS = 4321
/** Kills of a pull, spread over all points that there are. */
const KILLS = 104
/** Rooms under way at once: enough to keep two cores busy. */
const AT_ONCE = 3
/** Far less than a lease lasts: whoever waited for a dead process's lease would give up. */
const WAIT_MS = 5_000

let archive: TestArchive
let mortals: Mortals
/** Archived without a disturbance, and found equal to the source. Every other room has its members. */
let undisturbed: SimulatedRoom
/** What a reader sees of a room that is not archived, and of one that is. */
let nothing: string
let whole: string
/** All columns in which rooms of the same members do not differ. */
let columns: readonly { table: string; name: string }[]

beforeAll(async () => {
  // The processes that are killed live by the machine's clock, and rows of both are compared.
  archive = await openTestArchive({ clock: systemClock, frozen: true })
  mortals = await createMortals(archive)
  const { rows } = await sql<{ table: string; name: string }>`
    select table_name as "table", column_name as name from information_schema.columns
    where table_schema = 'archive' and column_name not in ('room_id', 'user_id', 'attempt', 'archived_at', 'changed_at')
  `.execute(archive.db)
  columns = rows
  nothing = await view(1n)
  undisturbed = archive.school.addRoom({ members: MEMBERS })
  undisturbed.members = undisturbed.members.map(inShort)
  await archive.archive(undisturbed.roomId)
  await expectTruth(archive.db, undisturbed)
  whole = await view(undisturbed.roomId)
})
afterAll(async () => {
  await archive?.close()
  await mortals?.remove()
})

test('a pull killed at any of 100 points shows nothing or all of the room, and the next goes on from its pages', async () => {
  const { points } = await mortals.run({ work: 'archive', roomId: addRoom().roomId })
  // Answers arrive in more pieces at one time than at another: the last of the points are not always come by.
  const certain = points - 15
  expect(certain).toBeGreaterThanOrEqual(KILLS)

  const kills = await eachAtOnce([...spread(KILLS, certain), ...decisivePoints], async (dieAt) => {
    const { roomId } = addRoom()
    return whileReading(roomId, [nothing, whole], async () => {
      const { died } = await mortals.run({ work: 'archive', roomId, dieAt })
      const landed = await expectResumption(roomId)
      await expectSameRows(roomId, undisturbed.roomId)
      return { dieAt, died, landed }
    })
  })
  expect(new Set(kills.flatMap(({ died }) => died?.point ?? [])).size).toBeGreaterThanOrEqual(100)
  for (const { dieAt, died } of kills)
    if (typeof dieAt === 'object') expect(died?.moment, dieAt.text).toBe(dieAt.moment)
  expect(kills.map(({ landed }) => landed)).toEqual(expect.arrayContaining([0, 1, PAGES]))
}, 240_000)

test('a pull killed twice in a row is completed by the third process', async () => {
  const pairs = Array.from({ length: 3 }, (_, index) => [12 + 40 * index, 45 - 16 * index] as const)
  await eachAtOnce(pairs, async (points) => {
    const { roomId } = addRoom()
    await whileReading(roomId, [nothing, whole], async () => {
      for (const dieAt of points) {
        expect(await mortals.run({ work: 'archive', roomId, dieAt })).toMatchObject({ died: { point: dieAt } })
      }
      await expectResumption(roomId)
      await expectSameRows(roomId, undisturbed.roomId)
    })
  })
})

test('a re-read that changes one member, killed at any of 8 points, shows the old room or the new one', async () => {
  const changed = undisturbed.members.map((record, index) => (index === 1222 ? { ...record, PresentTime: 7 } : record))
  const archiveAndChange = async () => {
    const room = addRoom()
    await archive.archive(room.roomId)
    room.members = changed
    return room
  }
  const reread = await archiveAndChange()
  await archive.archive(reread.roomId)
  await expectTruth(archive.db, reread)
  const renewed = await view(reread.roomId)
  expect(renewed).not.toBe(whole)

  const { points } = await mortals.run({ work: 'archive', roomId: (await archiveAndChange()).roomId })
  const kills = await eachAtOnce([...spread(5, points), ...commits], async (dieAt) => {
    const { roomId } = await archiveAndChange()
    return whileReading(roomId, [whole, renewed], async () => {
      const { died } = await mortals.run({ work: 'archive', roomId, dieAt })
      await expectResumption(roomId, /^archived (interrupted )*archived( unchanged)?$/)
      await expectSameRows(roomId, reread.roomId)
      return died
    })
  })
  expect(kills).not.toContain(undefined)
})

test('a replay killed at any of 7 points shows nothing or all of the room, and the next one rebuilds it', async () => {
  const archiveAndLose = async () => {
    const { roomId } = addRoom()
    await archive.archive(roomId)
    await sql`delete from archive.rooms where room_id = ${roomId}`.execute(archive.db)
    await sql`delete from archive.member_records where room_id = ${roomId}`.execute(archive.db)
    return roomId
  }
  const { points } = await mortals.run({ work: 'replay', roomId: await archiveAndLose() })
  const kills = await eachAtOnce([...spread(4, points), ...commits], async (dieAt) => {
    const roomId = await archiveAndLose()
    const requests = archive.simulator.requests.length
    return whileReading(roomId, [nothing, whole], async () => {
      const { died } = await mortals.run({ work: 'replay', roomId, dieAt })
      await replayRoom(archive.db, roomId)
      await expectSameRows(roomId, undisturbed.roomId)
      expect(archive.simulator.requests.slice(requests).map((request) => request.roomId)).not.toContain(roomId)
      return died
    })
  })
  expect(kills).not.toContain(undefined)
})

/** Around the sending of the statements on which all depends: the first page's landing, and what archives the room. */
const decisivePoints = ['insert into archive.raw_pages', 'insert into archive.member_records'].flatMap(around)

/** Around the commit of what takes more than a statement. */
const commits = around('commit')

function around(text: string): Exclude<MortalPoint, number>[] {
  return (['before', 'half-way', 'after'] as const).map((moment) => ({ moment, text }))
}

/** So many numbers from 1 to `last`, evenly apart. */
function spread(count: number, last: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 + Math.floor((index * last) / count))
}

/** Few fields: what a record is made of is not what this is about, and all is done two hundred times. */
function inShort({ UserId, UserName, PresentTime, SubGroupId }: SimulatedRecord): SimulatedRecord {
  return { UserId, UserName: UserName ?? null, PresentTime: PresentTime ?? null, SubGroupId: SubGroupId ?? null }
}

function addRoom(): SimulatedRoom {
  return archive.school.addRoom({ members: undisturbed.members })
}

/**
 * Archives a room that killed processes have left behind: without waiting for their leases, and without a request for a
 * page that one of them landed.
 *
 * @returns the number of those pages
 */
async function expectResumption(roomId: bigint, outcomes = /^(interrupted )*archived( unchanged)?$/): Promise<number> {
  const { db, simulator } = archive
  const { rows: landed } = await sql<{ page: number }>`
    select page from archive.raw_pages join archive.runs using (room_id, attempt)
    where room_id = ${roomId} and finished_at is null`.execute(db)
  const requestsBefore = simulator.requests.length
  const { outcome } = await archive.archive(roomId, { waitMs: WAIT_MS })
  const requests = simulator.requests.slice(requestsBefore).filter((request) => request.roomId === roomId)

  const runs = await db
    .selectFrom('archive.runs')
    .selectAll()
    .where('room_id', '=', roomId)
    .orderBy('attempt')
    .execute()
  expect(runs.map((run) => run.outcome).join(' ')).toMatch(outcomes)
  // If the dead process's last commit went through all the same, this was another reading of an archived room.
  if (outcome === 'archived') {
    for (const { page } of landed) expect(requests.map((request) => request.page)).not.toContain(page)
  }
  const job = await db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
  expect(job).toMatchObject({ state: 'archived', leased_by: null, lease_until: null, attempts: 0 })
  return landed.length
}

/**
 * Both rooms have the same row, members and raw pages in every column but ids and times; and of the times, the same
 * rows were changed after they were first written.
 */
async function expectSameRows(roomId: bigint, otherId: bigint): Promise<void> {
  const { rows } = await sql<{ differing: string }>`
    select 'member ' || user_id as differing
    from (select * from archive.member_records where room_id = ${roomId}) a
    full join (select * from archive.member_records where room_id = ${otherId}) b using (user_id)
    where (${content('member_records', 'a')}) is distinct from (${content('member_records', 'b')})
    union all
    select 'room'
    from (select * from archive.rooms where room_id = ${roomId}) a
    full join (select * from archive.rooms where room_id = ${otherId}) b on true
    where (${content('rooms', 'a')}) is distinct from (${content('rooms', 'b')})
    union all
    select 'page ' || page
    from (${pagesOf(roomId)}) a full join (${pagesOf(otherId)}) b using (position, page)
    where (a.content_hash, a.record_count, a.has_body) is distinct from (b.content_hash, b.record_count, b.has_body)
  `.execute(archive.db)
  expect(rows.slice(0, 10)).toEqual([])
}

/** What two rooms of the same members have in common in a table: columns of a row, and whether it was changed. */
function content(table: string, alias: string) {
  const names = columns.flatMap((column) => (column.table === table ? column.name : []))
  return sql`${sql.join(names.map((name) => sql.ref(`${alias}.${name}`)))}, ${sql.ref(`${alias}.changed_at`)} > ${sql.ref(`${alias}.archived_at`)}`
}

/** The raw pages of a room; attempts are counted, because numbers go to waste where one was killed. */
function pagesOf(roomId: bigint) {
  return sql`
    select dense_rank() over (order by attempt) as position, page, content_hash, record_count,
      body is not null as has_body
    from archive.raw_pages where room_id = ${roomId}`
}

/** What a reader sees of a room, in one statement. */
async function view(roomId: bigint): Promise<string> {
  const { rows } = await sql<{ view: string }>`
    select format('%s members for %s s, room %s', count(*), sum(present_seconds), (
      select (total, revision) from archive.rooms where room_id = ${roomId})) as view
    from archive.member_records where room_id = ${roomId}`.execute(archive.db)
  return rows[0]?.view ?? ''
}

/** Looks at a room again and again, until the work is done: what is seen is all of those views, and nothing else. */
async function whileReading<Result>(
  roomId: bigint,
  views: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  const seen = new Set([await view(roomId)])
  let isDone = false
  const reading = (async () => {
    for (; !isDone; await delay(40)) seen.add(await view(roomId))
  })()
  const result = await work().finally(() => {
    isDone = true
    return reading
  })
  expect([...seen.add(await view(roomId))]).toEqual(views)
  return result
}

/** Does the work for each item, some at a time. @returns the results in the order of the items */
async function eachAtOnce<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = [...items.entries()]
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, item] = next
      results[index] = await work(item)
    }
  }
  const workers = Array.from({ length: AT_ONCE }, () =>
    worker().catch((error) => {
      queue.length = 0
      throw error
    }),
  )
  await Promise.allSettled(workers)
  await Promise.all(workers)
  return results
}
