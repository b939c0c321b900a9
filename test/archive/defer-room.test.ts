import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { LeaseLostError } from '../../lib/archive/context'
import { type Deferred, deferRoom, type Failure } from '../../lib/archive/defer-room'
import type { DeferralKind } from '../../lib/archive/schedule'
import { beginAttempts } from '../../lib/db/begin-attempt'
import { hintRooms } from '../../lib/db/hint-rooms'
import { claimRoom } from '../../lib/db/leases'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { testLog } from '../support/log-directory'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const noon = Date.UTC(2026, 0, 5, 12)
const at = (ms: number) => new Date(noon + ms)

let database: TestDatabase
let roomId = 0n
let logged: Record<string, unknown>[]
const log = testLog((line) => logged.push(JSON.parse(line)))
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  logged = []
  roomId++
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
})

const jobOf = () =>
  database.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()

/** The room is taken when it is due, and fails; something may happen in between. */
async function fail(
  kind: DeferralKind,
  ms: number,
  { failure = {}, meanwhile }: { failure?: Partial<Failure>; meanwhile?: () => unknown } = {},
): Promise<Deferred> {
  const { db } = database
  const now = at(ms)
  await sql`update archive.jobs set due_at = ${now} where room_id = ${roomId}`.execute(db)
  const lease = { roomId, holder: `worker ${ms}` }
  expect(await claimRoom(db, { lease, now })).toBe(true)
  const begun = (await beginAttempts(db, { leases: [lease], now, resumeWithinMs: 0 })).get(roomId)
  const attempt = { lease, number: begun?.attempt ?? 0, requestIds: ['r-1', 'r-2'] }
  await meanwhile?.()
  const context = { db, now: () => now, policy: { giveUpAfterMs: 7 * DAY }, log }
  return deferRoom(context, attempt, { kind, code: 'Some.Code', detail: 'Why.', requestId: 'r-2', ...failure })
}

/** When it is due again, after the moment it failed. */
const dueInMs = ({ dueAt }: Deferred, ms: number) => (dueAt ? dueAt.getTime() - at(ms).getTime() : undefined)

const archiveBefore = () =>
  sql`update archive.jobs set state = 'archived', archived_at = ${at(0)} where room_id = ${roomId}`.execute(database.db)

const plan = (endMs: number) =>
  sql`
    insert into archive.known_rooms (room_id, scheduled_end_at, changed_at)
    values (${roomId}, ${at(endMs)}, ${at(0)})`.execute(database.db)

test('the run is closed, and job and message say what happened and what follows', async () => {
  const deferred = await fail('transient', 0, { failure: { detail: 'It is. So it is. . ' } })
  const message = `Room ${roomId}: LCIC gave no usable answer (Some.Code: It is. So it is). It will be asked again.`
  expect(deferred).toEqual({ state: 'pending', dueAt: expect.any(Date), message })
  expect(await jobOf()).toMatchObject({
    ...{ state: 'pending', due_at: deferred.dueAt, attempts: 1, reason: 'transient', failing_since: at(0) },
    ...{ last_error_code: 'Some.Code', last_error_message: message, last_request_id: 'r-2', leased_by: null },
  })
  const runs = await database.db.selectFrom('archive.runs').selectAll().where('room_id', '=', roomId).execute()
  expect(runs).toMatchObject([
    {
      outcome: 'transient',
      error_code: 'Some.Code',
      error_message: 'It is. So it is. . ',
      request_ids: ['r-1', 'r-2'],
    },
  ])
  expect(logged).toEqual([])
})

test('a room that has failed for too long is given up, loudly, and not a moment sooner', async () => {
  await fail('transient', 0)
  expect(await fail('unknown', 7 * DAY - 1)).toMatchObject({ state: 'pending', dueAt: expect.any(Date) })
  // What is no room's fault gives none up.
  expect(await fail('throttled', 7 * DAY)).toMatchObject({ state: 'pending', dueAt: expect.any(Date) })
  const deferred = await fail('transient', 7 * DAY)
  const next = `It has gone on for 7 days: the room is given up. To try again: lcic-archive retry ${roomId}`
  const message = `Room ${roomId}: LCIC gave no usable answer (Some.Code: Why). ${next}`
  expect(deferred).toEqual({ state: 'failed', message })
  expect(await jobOf()).toMatchObject({ state: 'failed', due_at: null })
  const facts = { roomId: String(roomId), attempt: 4, kind: 'transient', code: 'Some.Code', requestId: 'r-2' }
  expect(logged).toMatchObject([{ level: 50, msg: message, ...facts }])
})

test('a room that is archived stays so, and is read again while that makes sense', async () => {
  await archiveBefore()
  const first = await fail('transient', 0)
  expect(first).toMatchObject({ state: 'archived', dueAt: expect.any(Date) })
  expect(first.message).toContain('It will be asked again.')
  const keeps = { state: 'archived', message: expect.stringContaining(' The archive keeps what it has.') }
  for (const kind of ['gone', 'expired'] as const) expect(await fail(kind, HOUR)).toEqual(keeps)
  expect(await fail('transient', 7 * DAY)).toEqual(keeps)
  // What is asked for three times is not asked for a fourth time.
  expect(await fail('emptied', 8 * DAY)).toMatchObject({ state: 'archived', dueAt: expect.any(Date) })
  expect(await fail('emptied', 10 * DAY)).toEqual(keeps)
  expect(await fail('throttled', 20 * DAY)).toMatchObject({ dueAt: expect.any(Date) })
})

test('a room that expired is settled, unless it was named meanwhile: then it is as if it had not failed', async () => {
  await fail('transient', 0)
  const meanwhile = () =>
    hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'callback', now: at(HOUR), reread: false })
  const anew = await fail('expired', HOUR, { meanwhile })
  expect(anew).toMatchObject({ state: 'pending' })
  expect(dueInMs(anew, HOUR)).toBe(MINUTE)
  expect(anew.message).toMatch(/Why\)\. It was named anew meanwhile, and will be asked again\.$/)
  expect(await jobOf()).toMatchObject({ failing_since: null, reason_since: at(HOUR) })
  // What will be asked again anyway has failed all the same.
  const named = await fail('transient', 2 * HOUR, { meanwhile })
  expect(named.message).toMatch(/It will be asked again\.$/)
  const expired = await fail('expired', 3 * HOUR)
  expect(expired).toEqual({ state: 'expired', message: expect.stringMatching(/There is nothing to do\.$/) })
  expect(await jobOf()).toMatchObject({ state: 'expired', due_at: null, failing_since: at(2 * HOUR) })
  // It has not failed, for however long it did before.
  await fail('transient', 9 * DAY)
  expect(await fail('expired', 17 * DAY)).toMatchObject({ state: 'expired' })
})

test.each(['transient', 'gone'] as const)(
  'a room that would be given up for what LCIC says of it (%s) is tried anew if it was named meanwhile',
  async (kind) => {
    for (const days of [0, 1, 2]) await fail(kind, days * DAY)
    const meanwhile = () =>
      hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'callback', now: at(8 * DAY), reread: false })
    const anew = await fail(kind, 8 * DAY, { meanwhile })
    expect(anew).toMatchObject({ state: 'pending', message: expect.stringContaining('It was named anew meanwhile') })
    expect(await jobOf()).toMatchObject({ failing_since: null })
  },
)

test('a class fails to end from when it was planned to, and what comes once it has ended is a failure of its own', async () => {
  await fail('not_ended', 0)
  expect(await fail('not_ended', 7 * DAY - 1)).toMatchObject({ state: 'pending' })
  expect(await fail('transient', 7 * DAY)).toMatchObject({ state: 'pending' })
  roomId++
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
  await fail('not_ended', 0)
  expect(await fail('not_ended', 7 * DAY)).toMatchObject({ state: 'failed' })
  roomId++
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
  await plan(DAY)
  await fail('not_ended', 0)
  expect(await fail('not_ended', 8 * DAY - 1)).toMatchObject({ state: 'pending' })
  expect(await fail('not_ended', 8 * DAY)).toMatchObject({ state: 'failed' })
  // One that should have ended long ago, and was not asked for since.
  roomId++
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
  await plan(-9 * DAY)
  expect(await fail('not_ended', 0)).toMatchObject({ state: 'pending' })
})

test('one that is not over by the plan has not failed to end, however late the plan was changed', async () => {
  await fail('not_ended', 0)
  await plan(30 * DAY)
  expect(await fail('not_ended', 20 * DAY)).toMatchObject({ state: 'pending' })
  expect(dueInMs(await fail('not_ended', 21 * DAY), 21 * DAY)).toBeGreaterThanOrEqual(9 * DAY)
})

test('a room counts as missing once LCIC has denied it four times over a day', async () => {
  for (const hours of [0, 8, 16]) expect(await fail('gone', hours * HOUR)).toMatchObject({ state: 'pending' })
  const early = await fail('gone', 23 * HOUR)
  expect(early).toMatchObject({ state: 'pending', message: expect.stringContaining('asked again for a day') })
  const missing = await fail('gone', DAY)
  expect(missing).toEqual({
    state: 'missing',
    message: `Room ${roomId}: LCIC says that there is no such room (Some.Code: Why). It has said so for a day: the room counts as missing.`,
  })
  // Asked for again, it may have other troubles.
  expect(await fail('transient', 25 * HOUR)).toMatchObject({ state: 'pending' })
  roomId++
  await hintRooms(database.db, { hints: [{ roomId }], hintedBy: 'sweep', now: at(0) })
  for (const hours of [0, 12, 24]) expect(await fail('gone', hours * HOUR)).toMatchObject({ state: 'pending' })
  expect(await fail('transient', 36 * HOUR)).toMatchObject({ state: 'pending' })
  expect(await fail('gone', 37 * HOUR)).toMatchObject({ state: 'missing' })
})

test('refused credentials leave a room due as it was, and say what to mend', async () => {
  const deferred = await fail('configuration', 0, { failure: { code: 'AuthFailure.SignatureFailure' } })
  expect(deferred).toMatchObject({ state: 'pending', dueAt: at(0) })
  expect(deferred.message).toMatch(/Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY\.$/)
  expect(await jobOf()).toMatchObject({ attempts: 0, failing_since: null })
})

test('one that is not ready is asked for when others became ready lately', async () => {
  const { db } = database
  await sql`update archive.jobs set ended_at = ${at(0)} where room_id = ${roomId}`.execute(db)
  await fail('not_ready', 0)
  const waiting = roomId
  for (const [notReady, archived] of [
    [20, 50],
    [25, 55],
    [30, 40],
  ] as const) {
    roomId++
    await hintRooms(db, { hints: [{ roomId, endedAt: at(0) }], hintedBy: 'sweep', now: at(0) })
    await sql`
      update archive.jobs set state = 'archived', archived_at = ${at(archived * MINUTE)},
        not_ready_until = ${at(notReady * MINUTE)} where room_id = ${roomId}`.execute(db)
    await sql`
      insert into archive.rooms (room_id, total, revision, attempt, content_hash, archived_at, changed_at)
      values (${roomId}, 0, 1, 1, '', ${at(archived * MINUTE)}, ${at(archived * MINUTE)})`.execute(db)
  }
  const last = roomId
  roomId = waiting
  // A dozen times in those 35 minutes; not within half of that from now.
  const deferred = await fail('not_ready', 19 * MINUTE)
  expect(dueInMs(deferred, 19 * MINUTE)).toBe((35 * MINUTE) / 12 / 2)
  roomId = last
})

test('who has lost the room writes nothing', async () => {
  const before = await jobOf()
  const meanwhile = () =>
    sql`update archive.jobs set leased_by = 'another' where room_id = ${roomId}`.execute(database.db)
  await expect(fail('transient', 0, { meanwhile })).rejects.toBeInstanceOf(LeaseLostError)
  expect(await jobOf()).toMatchObject({ leased_by: 'another', attempts: before.attempts, reason: null })
  const runs = await database.db.selectFrom('archive.runs').selectAll().where('room_id', '=', roomId).execute()
  expect(runs).toMatchObject([{ outcome: null, finished_at: null }])
})
