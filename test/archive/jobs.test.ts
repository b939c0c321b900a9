import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { averagePages, countDue, countUnsettled } from '../../lib/db/count-rooms'
import { goneAnswers } from '../../lib/db/gone-answers'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { claimDueRooms, claimRoom, type Lease, lockLease, renewLease } from '../../lib/db/leases'
import { recentReadiness } from '../../lib/db/recent-readiness'
import { retryRooms } from '../../lib/db/retry-rooms'
import { completeJob, type Deferral, deferJob, lockJob, releaseJob } from '../../lib/db/settle-job'
import { createTestDatabase, type TestDatabase } from '../support/database'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const noon = Date.UTC(2026, 0, 5, 12)
const at = (ms: number) => new Date(noon + ms)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

let lastRoomId = 0n

/** A job for a room, hinted at noon. */
async function addJob(): Promise<bigint> {
  const roomId = ++lastRoomId
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
  return roomId
}

const jobOf = (roomId: bigint) =>
  database.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()

async function claimed(roomId: bigint, ms: number): Promise<Lease> {
  const lease = { roomId, holder: `worker ${ms}` }
  expect(await claimRoom(database.db, { lease, now: at(ms) })).toBe(true)
  return lease
}

/** A room in the table for analysts. */
const addRoom = (db: TestDatabase['db'], roomId: bigint, archivedMs: number, total = 0) =>
  sql`
  insert into archive.rooms (room_id, total, revision, attempt, content_hash, archived_at, changed_at)
  values (${roomId}, ${total}, 1, 1, '', ${at(archivedMs)}, ${at(archivedMs)})`.execute(db)

const complete = (lease: Lease, ms: number, facts: Partial<Parameters<typeof completeJob>[1]> = {}) =>
  completeJob(database.db, {
    lease,
    now: at(ms),
    endedAt: null,
    requestId: 'of the answer',
    rereadAfterMs: undefined,
    ...facts,
  })

const defer = (lease: Lease, ms: number, facts: Partial<Deferral> = {}) =>
  deferJob(database.db, {
    lease,
    now: at(ms),
    state: 'pending',
    dueInMs: 5 * MINUTE,
    costsAttempt: true,
    reason: 'not_ready',
    errorCode: 'ResourceUnavailable.RoomStatistics',
    errorMessage: 'not yet',
    requestId: 'of the refusal',
    ...facts,
  })

/** Claims the room at its time, and puts it off then. */
async function deferred(roomId: bigint, ms: number, facts: Partial<Deferral> = {}): Promise<void> {
  await defer(await claimed(roomId, ms), ms, facts)
}

test('a job that somebody inserts by hand is taken', async () => {
  const own = await createTestDatabase()
  await sql`insert into archive.jobs (room_id, hinted_by) values (1, 'event')`.execute(own.db)
  const lookAt = { holder: 'a', now: databaseTime, limit: 1 }
  expect(await claimDueRooms(own.db, lookAt)).toEqual({ leases: [], woken: 1 })
  expect((await claimDueRooms(own.db, lookAt)).leases).toMatchObject([{ roomId: 1n }])
  await own.drop()
})

test('who has lost the lease of a room changes nothing of its job', async () => {
  const roomId = await addJob()
  const lost = await claimed(roomId, 0)
  await claimed(roomId, 2 * MINUTE)
  const before = await jobOf(roomId)
  expect(await renewLease(database.db, { lease: lost, now: at(2 * MINUTE) })).toBe(false)
  expect(await lockLease(database.db, lost)).toBe(false)
  expect(await lockJob(database.db, { lease: lost, now: at(2 * MINUTE) })).toBeUndefined()
  expect(await defer(lost, 2 * MINUTE)).toBeUndefined()
  await complete(lost, 2 * MINUTE)
  await releaseJob(database.db, { lease: lost, now: at(2 * MINUTE) })
  expect(await jobOf(roomId)).toEqual(before)
})

test('a room that is locked at this moment is not waited for', async () => {
  const roomId = await addJob()
  await database.db.transaction().execute(async (tx) => {
    await sql`select from archive.jobs where room_id = ${roomId} for update`.execute(tx)
    expect(await claimRoom(database.db, { lease: { roomId, holder: 'another' }, now: at(0) })).toBe(false)
  })
})

test('rooms of a claim whose answer was lost can be had at once by who made it, and an attempt began with it', async () => {
  const roomId = await addJob()
  const claim = (holder: string, dead: readonly string[]) =>
    claimDueRooms(database.db, { holder, now: at(1000), limit: 1000, dead })
  const taken = async (holder: string, dead: readonly string[]) =>
    (await claim(holder, dead)).leases.some((lease) => lease.roomId === roomId)
  expect(await taken('host:1:first', [])).toBe(true)
  expect((await jobOf(roomId)).last_attempt_at).toEqual(at(1000))
  expect(await taken('host:1:second', ['host:1:other'])).toBe(false)
  expect(await taken('host:1:second', ['host:1:first'])).toBe(true)
})

test('what has failed before is forgotten once a room is archived, and its real end is known', async () => {
  const roomId = await addJob()
  await hintRooms(database.db, { hints: [{ roomId, endedAt: at(-HOUR) }], hintedBy: 'callback', now: at(0) })
  await deferred(roomId, 0)
  await complete(await claimed(roomId, 5 * MINUTE), 5 * MINUTE, {
    endedAt: (noon - 2 * HOUR) / 1000,
    requestId: undefined,
  })
  expect(await jobOf(roomId)).toMatchObject({
    state: 'archived',
    attempts: 0,
    ended_at: at(-2 * HOUR),
    archived_at: at(5 * MINUTE),
    reason: null,
    reason_since: null,
    failing_since: null,
    last_error_code: null,
    last_error_message: null,
    last_request_id: 'of the refusal',
    leased_by: null,
    lease_until: null,
  })
})

test('an archived room is due again only for what asked for that while it was read, or for its late re-read', async () => {
  const { db } = database
  // A hint that came while it was read for the first time has been answered by that.
  const hinted = await addJob()
  const first = await claimed(hinted, 0)
  await hintRooms(db, { hints: [{ roomId: hinted }], hintedBy: 'callback', now: at(1000) })
  await complete(first, 2000)
  expect((await jobOf(hinted)).due_at).toBeNull()
  const early = await addJob()
  await deferred(early, 0)
  const byHand = await claimed(early, MINUTE)
  await hintRooms(db, { hints: [{ roomId: early }], hintedBy: 'callback', now: at(MINUTE) })
  expect((await jobOf(early)).due_at).toEqual(at(2 * MINUTE))
  await complete(byHand, MINUTE)
  expect((await jobOf(early)).due_at).toBeNull()
  // So has a re-read that came due, whatever else is heard of the room meanwhile.
  await retryRooms(db, { rooms: [hinted], now: at(HOUR) })
  const reread = await claimed(hinted, HOUR)
  await sql`update archive.jobs set hinted_at = ${at(HOUR)} where room_id = ${hinted}`.execute(db)
  await complete(reread, HOUR + 1000)
  expect((await jobOf(hinted)).due_at).toBeNull()
  // Read by hand before its late re-read: that is not needed any more, unless it is asked for.
  const late = await addJob()
  await addRoom(db, late, 0)
  const rereadAfterMs = 24 * HOUR
  await complete(await claimed(late, 0), 0, { rereadAfterMs })
  expect((await jobOf(late)).due_at).toEqual(at(24 * HOUR))
  await complete(await claimed(late, HOUR), HOUR)
  expect((await jobOf(late)).due_at).toBeNull()
  // Both: the sooner counts.
  const both = await claimed(late, 2 * HOUR)
  await hintRooms(db, { hints: [{ roomId: late }], hintedBy: 'event', now: at(2 * HOUR), reread: true })
  await complete(both, 2 * HOUR, { rereadAfterMs })
  expect((await jobOf(late)).due_at).toEqual(at(2 * HOUR + MINUTE))
})

test('how long a room fails for one reason, and for whatever reason, are two counts', async () => {
  const roomId = await addJob()
  const past = async (ms: number) => lockJob(database.db, { lease: await claimed(roomId, ms), now: at(ms) })
  await deferred(roomId, 0, { reason: 'transient' })
  await deferred(roomId, 10 * MINUTE)
  expect(await jobOf(roomId)).toMatchObject({ waits: true, not_ready_until: at(10 * MINUTE) })
  await deferred(roomId, 20 * MINUTE)
  expect(await past(30 * MINUTE)).toMatchObject({
    reason: 'not_ready',
    reasonMs: 20 * MINUTE,
    failingMs: 30 * MINUTE,
    archived: false,
    hinted: false,
  })
  await deferred(roomId, 40 * MINUTE, { reason: 'transient' })
  // It was found not to be ready at 20 minutes for the last time.
  expect(await jobOf(roomId)).toMatchObject({ reason_since: at(40 * MINUTE), not_ready_until: at(20 * MINUTE) })
  expect(await past(50 * MINUTE)).toMatchObject({ reasonMs: 10 * MINUTE, failingMs: 50 * MINUTE })
})

test('a class that goes on has not failed so far', async () => {
  const roomId = await addJob()
  await deferred(roomId, 0, { reason: 'not_ended' })
  await deferred(roomId, HOUR, { reason: 'not_ended' })
  expect((await jobOf(roomId)).failing_since).toEqual(at(0))
  await deferred(roomId, 2 * HOUR)
  expect((await jobOf(roomId)).failing_since).toEqual(at(2 * HOUR))
})

test('a room that is archived stays so, whatever later reads say, and no hint hurries it', async () => {
  const roomId = await addJob()
  await complete(await claimed(roomId, 0), 0)
  const lease = await claimed(roomId, HOUR)
  await sql`update archive.jobs set hinted_at = ${at(HOUR + 1000)} where room_id = ${roomId}`.execute(database.db)
  expect(await defer(lease, HOUR + 2000)).toEqual({ state: 'archived', dueAt: at(HOUR + 2000 + 5 * MINUTE) })
})

test('answers that there is no such room count since LCIC last said anything else of it', async () => {
  const { db } = database
  const roomId = await addJob()
  await deferred(roomId, 0, { reason: 'gone' })
  const outcomes = ['gone', 'gone', 'not_ready', 'gone', 'transient', 'gone']
  for (const [hours, outcome] of outcomes.entries()) {
    await sql`
      insert into archive.runs (room_id, attempt, started_at, finished_at, outcome)
      values (${roomId}, ${hours + 1}, ${at(hours * HOUR)}, ${at(hours * HOUR)}, ${outcome})`.execute(db)
  }
  expect(await goneAnswers(db, { roomId, now: at(10 * HOUR) })).toEqual({ answers: 2, spanMs: 7 * HOUR })
})

test('who makes rooms due by hand has them tried as if nothing had failed, and those archived read once more', async () => {
  const { db } = database
  const [failed, missing, archived] = [await addJob(), await addJob(), await addJob()]
  await deferred(failed, 0, { state: 'failed', dueInMs: undefined })
  await deferred(missing, 0, { state: 'missing', dueInMs: undefined })
  await complete(await claimed(archived, 0), 0)
  await retryRooms(db, { rooms: 'failed', now: at(HOUR) })
  expect(await jobOf(failed)).toMatchObject({
    state: 'pending',
    due_at: at(HOUR),
    attempts: 0,
    reason: null,
    reason_since: null,
    failing_since: null,
  })
  expect(await jobOf(missing)).toMatchObject({ state: 'missing', due_at: null })
  await retryRooms(db, { rooms: [missing, archived], now: at(HOUR) })
  expect(await jobOf(missing)).toMatchObject({ state: 'pending', due_at: at(HOUR) })
  expect(await jobOf(archived)).toMatchObject({ state: 'archived', due_at: at(HOUR) })
})

test('what is learnt of readiness comes from the three rooms last archived that tell it to within an hour', async () => {
  const { db } = database
  const own = await createTestDatabase()
  try {
    /** Ended at noon, not ready up to the one, archived at the other. */
    const archived = async (notReadyMs: number, archivedMs: number, endedMs = 0) => {
      const roomId = ++lastRoomId
      await hintRooms(own.db, { hints: [{ roomId, endedAt: at(endedMs) }], hintedBy: 'sweep', now: at(endedMs) })
      await sql`
        update archive.jobs set state = 'archived', archived_at = ${at(archivedMs)}, not_ready_until = ${at(notReadyMs)}
        where room_id = ${roomId}`.execute(own.db)
      await addRoom(own.db, roomId, archivedMs)
    }
    expect(await recentReadiness(own.db)).toBeUndefined()
    await archived(5 * MINUTE, 10 * MINUTE)
    await archived(30 * MINUTE, 40 * MINUTE)
    await archived(20 * MINUTE, 50 * MINUTE)
    await archived(25 * MINUTE, 55 * MINUTE)
    const known = { fromMs: 20 * MINUTE, toMs: 55 * MINUTE }
    expect(await recentReadiness(own.db)).toEqual(known)
    // Nobody looked for two hours; it was archived before, and then read anew; its class had not ended when it was asked for.
    await archived(60 * MINUTE, 180 * MINUTE)
    await archived(300 * MINUTE, 200 * MINUTE)
    await archived(220 * MINUTE, 230 * MINUTE, 225 * MINUTE)
    expect(await recentReadiness(own.db)).toEqual(known)
    expect(await recentReadiness(db)).toBeUndefined()
  } finally {
    await own.drop()
  }
})

test('rooms without a job count as unsettled, re-reads as due, and an empty room as a page', async () => {
  const own = await createTestDatabase()
  try {
    const hints = [1n, 2n, 3n].map((roomId) => ({ roomId }))
    await hintRooms(own.db, { hints, hintedBy: 'sweep', now: at(0) })
    await sql`update archive.jobs set state = 'archived' where room_id = 1`.execute(own.db)
    await sql`update archive.jobs set state = 'expired', due_at = null where room_id = 2`.execute(own.db)
    expect(await countUnsettled(own.db, [1n, 2n, 3n, 4n, 5n])).toEqual([
      { state: null, reason: null, rooms: 2 },
      { state: 'pending', reason: null, rooms: 1 },
    ])
    expect(await countDue(own.db, { now: at(0) })).toBe(2)
    for (const [index, total] of [0, 100, 101, 250].entries()) await addRoom(own.db, BigInt(index), 0, total)
    expect(await averagePages(own.db, 100)).toBe((1 + 1 + 2 + 3) / 4)
  } finally {
    await own.drop()
  }
})
