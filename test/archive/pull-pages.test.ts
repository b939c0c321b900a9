import { getEventListeners } from 'node:events'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveRoom, beginRooms } from '../../lib/archive/archive-room'
import { claimNamedRoom } from '../../lib/archive/claim'
import type { ArchiveContext, Attempt } from '../../lib/archive/context'
import { pullPages } from '../../lib/archive/pull-pages'
import { systemClock } from '../../lib/clock'
import { SourceError } from '../../lib/lcic/errors'
import { openTestArchive, type TestArchive } from '../support/archive'
import { testLog } from '../support/log-directory'

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

test('a page that fails ends the others, and nothing stays with the signal', async () => {
  const { roomId } = archive.school.addRoom({ members: 4000 })
  archive.simulator.setFaults(({ page }) => {
    if (page === 3) return { kind: 'error', code: 'FailedOperation.ClassExpired' }
    return page === 2 ? { kind: 'hang' } : undefined
  })
  const { signal } = new AbortController()
  const began = systemClock.now()
  expect(await archiveRoom(archive.context, roomId, { waitMs: 0, signal })).toMatchObject({ outcome: 'expired' })
  expect(systemClock.now() - began).toBeLessThan(10_000)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  archive.simulator.setFaults(undefined)
})

test('pages that come in another order are the same pages', async () => {
  const { roomId } = archive.school.addRoom({ members: 2500 })
  const archived = (slow: number) => {
    archive.simulator.setFaults(({ page }) => (page === slow ? { kind: 'delay', ms: 300 } : undefined))
    return archive.archive(roomId)
  }
  expect(await archived(2)).toMatchObject({ outcome: 'archived', inserted: 2500 })
  expect(await archived(3)).toMatchObject({ outcome: 'unchanged' })
  archive.simulator.setFaults(undefined)
})

test('the log and the budget tell what was asked for', async () => {
  const { roomId } = archive.school.addRoom({ members: 2 })
  const lines: Record<string, unknown>[] = []
  const log = testLog((line) => lines.push(JSON.parse(line)))
  await archiveRoom({ ...archive.context, log }, roomId, { waitMs: 0 })
  expect(lines.filter(({ msg }) => msg === 'answer')).toMatchObject([
    { roomId: String(roomId), attempt: 1, page: 1, action: 'DescribeRoomStatistics', requestId: expect.any(String) },
  ])
  const { rows } = await sql`select from archive.budgets where budget like 'DescribeRoomStatistics %'`.execute(
    archive.db,
  )
  expect(rows).toHaveLength(1)
})

/** Archives a room that another process takes over when its page is asked for; `answer` is what comes then. @returns what was asked for */
async function takenOver(members: number, page: number, answer: 'the page' | 'no answer') {
  const { roomId } = archive.school.addRoom({ members })
  const asked: number[] = []
  const lcic: ArchiveContext['lcic'] = {
    ...archive.context.lcic,
    async describeRoomStatistics(...call) {
      asked.push(call[1])
      const answered = await archive.context.lcic.describeRoomStatistics(...call)
      if (call[1] !== page) return answered
      await sql`update archive.jobs set leased_by = 'another' where room_id = ${roomId}`.execute(archive.db)
      if (answer === 'no answer') throw new SourceError('transient', 'E_HTTP_502', 'LCIC answered HTTP 502.')
      return answered
    },
  }
  const report = await archiveRoom({ ...archive.context, lcic }, roomId, { waitMs: 0 })
  expect(report).toMatchObject({ outcome: 'busy' })
  return asked
}

test('a room that was taken over while LCIC did not answer is not asked for again', async () => {
  expect(await takenOver(2, 1, 'no answer')).toEqual([1])
})

test('of a room that is taken over while its pages come no more are asked for than are under way', async () => {
  expect((await takenOver(12_000, 2, 'the page')).length).toBeLessThan(12)
})
