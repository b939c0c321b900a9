import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { claimDue, claimNamedRoom } from '../../lib/archive/claim'
import { work } from '../../lib/archive/work'
import type { Clock } from '../../lib/clock'
import { beginAttempts } from '../../lib/db/begin-attempt'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { type ClaimedRoom, claimDueRooms, claimRoom, LEASE_MS } from '../../lib/db/leases'
import { openTestArchive, type TestArchive } from '../support/archive'
import { hastyClock } from '../support/hasty-clock'

let archive: TestArchive
beforeEach(async () => {
  archive = await openTestArchive({ frozen: true })
})
afterEach(() => archive?.close())

const now = databaseTime

async function claim(holder: string, limit: number): Promise<readonly ClaimedRoom[]> {
  const { leases } = await claimDueRooms(archive.db, { holder, now, limit })
  return leases
}

/** Jobs for rooms of these numbers. */
async function hint(rooms: readonly bigint[]): Promise<void> {
  await hintRooms(archive.db, { hints: rooms.map((roomId) => ({ roomId })), hintedBy: 'sweep', now })
}

test('rooms are taken by the oldest deadline, and those to be read once more after all others', async () => {
  await hint([1n, 2n, 3n, 4n, 5n])
  await sql`
    update archive.jobs set deadline_at = now() + make_interval(days => (array[30, 10, 20, 1, 2])[room_id::int]),
      due_at = now() - make_interval(mins => room_id::int),
      state = case when room_id > 3 then 'archived' else 'pending' end`.execute(archive.db)
  const order: bigint[] = []
  for (let turn = 0; turn < 6; turn++) {
    const leases = await claim(`turn ${turn}`, 1)
    order.push(...leases.map(({ roomId }) => roomId))
  }
  expect(order).toEqual([2n, 3n, 1n, 5n, 4n])
})

test('eight that claim 400 rooms at once get each room once', async () => {
  const rooms = Array.from({ length: 400 }, (_, index) => BigInt(index + 1))
  await hint(rooms)
  const claimers = Array.from({ length: 8 }, async (_, claimer) => {
    const taken: bigint[] = []
    for (let turn = 0, idle = 0; idle < 3; turn++) {
      const leases = await claim(`${claimer}.${turn}`, 7)
      taken.push(...leases.map(({ roomId }) => roomId))
      idle = leases.length === 0 ? idle + 1 : 0
    }
    return taken
  })
  const taken = (await Promise.all(claimers)).flat()
  expect(taken).toHaveLength(400)
  expect(new Set(taken).size).toBe(400)
})

test('jobs that waited are taken as soon as they are due, however many wake up together, and none before', async () => {
  const rooms = Array.from({ length: 180 }, (_, index) => BigInt(index + 1))
  await hint(rooms)
  // The even ones are due, of those the high ones are the most urgent; some wait although they are due, some are due
  // although they are said not to wait.
  await sql`
    update archive.jobs set waits = room_id % 3 > 0, deadline_at = now() + make_interval(days => 200 - room_id::int),
      due_at = now() + make_interval(mins => case when room_id % 2 = 0 then -room_id::int else 10 end)`.execute(
    archive.db,
  )
  const taken: bigint[] = []
  for (;;) {
    const leases = await claimDue(archive.context, { limit: 1 })
    if (leases.length === 0) break
    taken.push(...leases.map(({ roomId }) => roomId))
  }
  expect(new Set(taken)).toEqual(new Set(rooms.filter((roomId) => roomId % 2n === 0n)))
  expect(taken).toHaveLength(90)
  // Once all that are due have woken up, they come by their deadlines.
  const last = taken.slice(2)
  expect(last).toEqual([...last].sort((a, b) => Number(b - a)))
})

test('whoever claims takes as many as it asks for, those that wake up meanwhile included', async () => {
  await hint([1n, 2n, 3n, 4n])
  await sql`update archive.jobs set waits = room_id > 2, due_at = now() - make_interval(mins => room_id::int)`.execute(
    archive.db,
  )
  const claimed = async (limit: number) => {
    const leases = await claimDue(archive.context, { limit })
    return leases.map(({ roomId }) => roomId)
  }
  expect(await claimed(3)).toEqual([1n, 2n, expect.toBeOneOf([3n, 4n])])
  expect(await claimed(3)).toHaveLength(1)
})

test('a lease in force is not taken, one that has run out is', async () => {
  await hint([1n])
  expect(await claim('first', 9)).toHaveLength(1)
  expect(await claim('second', 9)).toEqual([])
  await sql`update archive.jobs set lease_until = now() - interval '1 millisecond'`.execute(archive.db)
  expect(await claim('third', 9)).toMatchObject([{ roomId: 1n }])
})

test('a lease from before the database clock was set back holds nobody up', async () => {
  await hint([1n])
  await claim('first', 9)
  await sql`update archive.jobs set lease_until = now() + interval '9 days'`.execute(archive.db)
  expect(await claim('second', 9)).toMatchObject([{ roomId: 1n }])
})

test('a machine whose clock is an hour ahead takes no room from another before its time', async () => {
  await hint([1n, 2n])
  await sql`update archive.jobs set due_at = now() + interval '10 minutes' where room_id = 2`.execute(archive.db)
  await claim('elsewhere', 1)
  const clock: Clock = { ...hastyClock, now: () => Date.now() + 3_600_000 }
  expect(await claimDue({ ...archive.context, clock, now: () => databaseTime }, { limit: 9 })).toEqual([])
})

test('a room that waits long for its slot keeps its lease', async () => {
  const { db, context, school } = archive
  const { roomId } = school.addRoom({ members: 3 })
  await context.budget.take('DescribeRoomStatistics', { mostMs: 1e9 })
  await context.budget.pushBack('DescribeRoomStatistics', 90_000)
  // On a clock on which nobody waits nobody could look in time: the table itself keeps each lease there was.
  await sql`create table archive.leases_seen (room_id bigint, lease_until timestamptz)`.execute(db)
  await sql`
    create function archive.see_lease() returns trigger language plpgsql as $$
      begin
        insert into archive.leases_seen values (new.room_id, new.lease_until);
        return null;
      end $$`.execute(db)
  await sql`
    create trigger see_lease after update of lease_until on archive.jobs
    for each row execute function archive.see_lease()`.execute(db)
  expect(await archive.archive(roomId)).toMatchObject({ outcome: 'archived' })
  const { rows } = await sql<{ ms: number }>`
    select extract(epoch from lease_until - min(lease_until) over ())::float8 * 1000 as ms
    from archive.leases_seen where lease_until is not null order by lease_until`.execute(db)
  expect(rows.at(-1)?.ms).toBeGreaterThan(LEASE_MS)
  const gaps = rows.map(({ ms }, index) => ms - (rows[index - 1]?.ms ?? 0))
  expect(Math.max(...gaps)).toBeLessThan(LEASE_MS / 2)
})

/** The holder that all rooms have, in place of which the job says another. */
const renameHolders = (from: string, to: string) =>
  sql`update archive.jobs set leased_by = replace(leased_by, ${from}, ${to})`.execute(archive.db)

/** The number of a process that is no more. */
async function goneProcess(): Promise<number | undefined> {
  const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(gone, 'close')
  return gone.pid
}

test('the rooms of a process of this machine that is gone are taken over at once', async () => {
  await hint([1n, 2n])
  const [first] = await claimDue(archive.context, { limit: 1 })
  expect(first?.holder).toContain(`:${process.pid}:`)
  await renameHolders(`:${process.pid}:`, `:${await goneProcess()}:`)
  // What is free comes first, then what the dead one had; what a living one has stays with it.
  const [second] = await claimDue(archive.context, { limit: 1 })
  expect(second?.roomId).not.toBe(first?.roomId)
  expect(await claimDue(archive.context, { limit: 9 })).toMatchObject([{ roomId: first?.roomId }])
  expect(await claimDue(archive.context, { limit: 9 })).toEqual([])
})

test('a process takes back what it could not give back, and nothing else that it has', async () => {
  await hint([1n, 2n])
  const [first, second] = await claimDue(archive.context, { limit: 2 })
  expect(first?.holder).toMatch(/:[0-9a-f]{8}-1$/)
  const own = [first?.holder.replace(/-1$/, '') ?? '']
  await renameHolders(`${second?.holder}`, 'another')
  expect(await claimDue(archive.context, { limit: 9, own, holder: 'again' })).toEqual([
    { roomId: 1n, holder: 'again-1', wasRefused: false },
  ])
})

test('numbers of processes mean something on the machine alone that gave them', async () => {
  await hint([1n])
  const [lease] = await claimDue(archive.context, { limit: 1 })
  const pid = await goneProcess()
  if (process.platform === 'linux') {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
    expect(lease?.holder).toContain(`${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}:${process.pid}:`)
  }
  await renameHolders(`:${process.pid}:`, ` elsewhere:${pid}:`)
  expect(await claimDue(archive.context, { limit: 9 })).toEqual([])
  expect(await claimNamedRoom(archive.context, 1n, { waitMs: 0 })).toBeUndefined()
  // What is no number of a process says nothing of one.
  await renameHolders(` elsewhere:${pid}:`, ':99999999999:')
  expect(await claimDue(archive.context, { limit: 9 })).toEqual([])
  await renameHolders(':99999999999:', `:${pid}:`)
  expect(await claimNamedRoom(archive.context, 1n, { waitMs: 0 })).toMatchObject({ roomId: 1n })
})

test('a room that another works on is waited for, and is not hinted at', async () => {
  await hint([1n])
  await claim('elsewhere', 1)
  const job = () => archive.db.selectFrom('archive.jobs').selectAll().executeTakeFirstOrThrow()
  const before = await job()
  const { signal } = new AbortController()
  const slept: Parameters<Clock['sleep']>[] = []
  let freeAfter = Number.POSITIVE_INFINITY
  const clock: Clock = {
    now: () => slept.length * 500,
    async sleep(...sleep) {
      if (slept.push(sleep) >= freeAfter) await sql`update archive.jobs set lease_until = null`.execute(archive.db)
    },
  }
  const context = { ...archive.context, clock, now: () => now }
  expect(await claimNamedRoom(context, 1n, { waitMs: 2000, signal })).toBeUndefined()
  expect(slept).toEqual(Array(3).fill([500, signal]))
  // Who has less time than patience does not wait in vain.
  expect(await claimNamedRoom(context, 1n, { waitMs: 2000, deadline: 1500 + 1000 })).toBeUndefined()
  expect(slept).toHaveLength(4)
  expect(await job()).toEqual(before)
  freeAfter = 6
  expect(await claimNamedRoom(context, 1n, { waitMs: 60_000 })).toMatchObject({ roomId: 1n })
  expect(slept).toHaveLength(6)
  expect(await job()).toMatchObject({ hinted_at: before.hinted_at, hinted_by: 'sweep' })
})

test('the room that a process of this machine was reading once more when it went is taken over at once, too', async () => {
  await hint([1n])
  await claimDue(archive.context, { limit: 1 })
  await renameHolders(`:${process.pid}:`, `:${await goneProcess()}:`)
  await sql`update archive.jobs set state = 'archived', due_at = now() - interval '1 minute'`.execute(archive.db)
  expect(await claimDue(archive.context, { limit: 1 })).toMatchObject([{ roomId: 1n }])
})

test.each(['archived', 'failed', 'missing', 'expired'] as const)(
  'a room that is %s, and named by somebody whose process then dies, is read by the next worker',
  async (state) => {
    const { db, context, school } = archive
    const { roomId } = school.addRoom({ members: 3 })
    if (state === 'archived') await archive.archive(roomId)
    else {
      await hint([roomId])
      await sql`update archive.jobs set state = ${state}, due_at = null, waits = true`.execute(db)
    }
    const lease = { roomId, holder: 'elsewhere:1:dead' }
    expect(await claimRoom(db, { lease, now: context.now() })).toBe(true)
    await beginAttempts(db, { leases: [lease], now: context.now(), resumeWithinMs: 0 })
    await sql`update archive.jobs set lease_until = '-infinity'`.execute(db)
    await work(context, { until: 'nothing_due' })
    const runs = await db.selectFrom('archive.runs').select('outcome').orderBy('attempt').execute()
    const outcomes = state === 'archived' ? ['archived', 'interrupted', 'unchanged'] : ['interrupted', 'archived']
    expect(runs.map(({ outcome }) => outcome)).toEqual(outcomes)
    const jobs = await db.selectFrom('archive.jobs').select(['state', 'leased_by', 'due_at']).execute()
    expect(jobs).toEqual([{ state: 'archived', leased_by: null, due_at: null }])
  },
)

test('a job that is not due stays among those that wait', async () => {
  await hintRooms(archive.db, {
    hints: [{ roomId: 1n, notBefore: new Date(Date.now() + 3_600_000) }],
    hintedBy: 'sweep',
    now,
  })
  const waits = async () => (await archive.db.selectFrom('archive.jobs').select('waits').executeTakeFirst())?.waits
  expect(await waits()).toBe(true)
  expect(await claimDueRooms(archive.db, { holder: 'a', now, limit: 9 })).toEqual({ leases: [], woken: 0 })
  expect(await waits()).toBe(true)
})
