import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { beginRooms } from '../../lib/archive/archive-room'
import { claimNamedRoom } from '../../lib/archive/claim'
import type { ArchiveContext, Attempt } from '../../lib/archive/context'
import { pullPages } from '../../lib/archive/pull-pages'
import { systemClock } from '../../lib/clock'
import { openTestArchive, type TestArchive } from '../support/archive'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ clock: systemClock, frozen: true })
})
afterAll(() => archive.close())

async function pull(members: number, observe?: ArchiveContext['observe']) {
  const { roomId } = archive.school.addRoom({ members })
  const context = { ...archive.context, ...(observe && { observe }) }
  const lease = await claimNamedRoom(context, roomId, { waitMs: 0 })
  const begun = lease && (await beginRooms(context, [lease])).get(roomId)
  if (!lease || !begun) throw new Error('The room is not free.')
  const attempt: Attempt = { lease, number: begun.attempt, requestIds: [] }
  return pullPages(context, attempt, begun, { waitMs: 0 })
}

test('the only page of a new room is not landed yet; of several, each is', async () => {
  const one = await pull(1000)
  expect(one.unlanded?.page.recordCount).toBe(1000)
  expect(one.newRoom?.members.map(({ count }) => count)).toEqual([1000])
  const two = await pull(1001)
  expect(two.unlanded).toBeUndefined()
  expect(two.newRoom?.members.map(({ count }) => count)).toEqual([1000, 1])
})

test('a room that lists nobody is landed, and one of more than 5,000 members is not held in memory', async () => {
  expect((await pull(0)).unlanded).toBeUndefined()
  expect((await pull(5000)).newRoom?.members).toHaveLength(5)
  expect((await pull(5001)).newRoom).toBeUndefined()
})

test('where somebody is erased between two pages, the room is only as good as what the first was looked through for', async () => {
  const { db } = archive
  let erased: Promise<unknown> | undefined
  archive.simulator.setFaults(({ page }) => (page === 2 ? { kind: 'delay', ms: 300 } : undefined))
  const pulled = await pull(1500, ({ type }) => {
    if (type === 'page')
      erased ??= sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
  })
  archive.simulator.setFaults(undefined)
  await erased
  const { rows } = await sql<{ newest: bigint }>`select max(erasure_id) as newest from archive.erasures`.execute(db)
  expect(rows[0]?.newest).toBeGreaterThan(0n)
  expect(pulled.newRoom?.erasuresSeen).toBe(0n)
  await sql`delete from archive.erasures`.execute(db)
})
