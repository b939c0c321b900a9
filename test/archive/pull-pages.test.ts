import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { beginRooms } from '../../lib/archive/archive-room'
import { claimNamedRoom } from '../../lib/archive/claim'
import type { ArchiveContext, Attempt } from '../../lib/archive/context'
import { HeldRecords } from '../../lib/archive/held-records'
import { pullPages } from '../../lib/archive/pull-pages'
import { systemClock } from '../../lib/clock'
import type { MemberColumns } from '../../lib/db/member-columns'
import { openTestArchive, type TestArchive } from '../support/archive'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ clock: systemClock, frozen: true })
})
afterAll(() => archive.close())

interface Options {
  readonly observe?: ArchiveContext['observe']
  readonly held?: HeldRecords
}

/** What is pulled of a new room, and what of it is held in memory. */
async function pull(members: number, { observe, held: given }: Options = {}) {
  const held = given ?? new HeldRecords()
  const { roomId } = archive.school.addRoom({ members })
  const context = { ...archive.context, ...(observe && { observe }) }
  const lease = await claimNamedRoom(context, roomId, { waitMs: 0 })
  const begun = lease && (await beginRooms(context, [lease])).get(roomId)
  if (!lease || !begun) throw new Error('The room is not free.')
  const attempt: Attempt = { lease, number: begun.attempt, requestIds: [] }
  const pulled = await pullPages(context, attempt, begun, held, { waitMs: 0 })
  const newRoom = held.all(pulled.pages.length)
  const pages = newRoom?.members.map(recordsIn)
  if (!given) held.release()
  return { ...pulled, held: pages, erasuresSeen: newRoom?.erasuresSeen }
}

/** How many elements an array of PostgreSQL has. */
const recordsIn = ({ bytes }: MemberColumns) => bytes.readInt32BE(12)

test('the only page of a new room is not landed yet; of several, each is', async () => {
  const one = await pull(1000)
  expect(one.unlanded?.page.recordCount).toBe(1000)
  expect(one.held).toEqual([1000])
  const two = await pull(1001)
  expect(two.unlanded).toBeUndefined()
  expect(two.held).toEqual([1000, 1])
})

test('a room that lists nobody is landed', async () => {
  expect((await pull(0)).unlanded).toBeUndefined()
})

test('what rooms hold in memory is bounded, all of them together', async () => {
  const first = new HeldRecords(1_000_000)
  expect((await pull(3000, { held: first })).held).toEqual([1000, 1000, 1000])
  const second = new HeldRecords(1_000_000)
  expect((await pull(3000, { held: second })).held).toBeUndefined()
  expect(first.all(3)?.members).toHaveLength(3)
  second.release()
  first.release()
  expect(first.all(3)).toBeUndefined()
  const third = new HeldRecords(1_000_000)
  expect((await pull(3000, { held: third })).held).toEqual([1000, 1000, 1000])
  third.release()
})

test('where somebody is erased between two pages, the room is only as good as what the first was looked through for', async () => {
  const { db } = archive
  let erased: Promise<unknown> | undefined
  archive.simulator.setFaults(({ page }) => (page === 2 ? { kind: 'delay', ms: 300 } : undefined))
  const observe: ArchiveContext['observe'] = ({ type }) => {
    if (type === 'page')
      erased ??= sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
  }
  const pulled = await pull(1500, { observe })
  archive.simulator.setFaults(undefined)
  await erased
  const { rows } = await sql<{ newest: bigint }>`select max(erasure_id) as newest from archive.erasures`.execute(db)
  expect(rows[0]?.newest).toBeGreaterThan(0n)
  expect(pulled.erasuresSeen).toBe(0n)
  await sql`delete from archive.erasures`.execute(db)
})
