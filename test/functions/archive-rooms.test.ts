import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { START_SPACING_MS } from '../../lib/platform/start-worker'
import type { Fault, SimulatedRoom } from '../../lib/simulator'
import {
  answerOf,
  type Functions,
  linesOf,
  openFunctions,
  roleCredentials,
  roleEnvironment,
  timer,
} from '../support/functions'
import type { Instance } from '../support/platform'
import { expectTruth } from '../support/truth'

let functions: Functions
let instance: Instance
const credentials = roleCredentials()

beforeAll(async () => {
  functions = await openFunctions({ credentials })
  instance = await functions.start('archive-rooms')
})

afterAll(() => functions?.close())

beforeEach(async () => {
  functions.simulator.setFaults(undefined)
  functions.simulator.requests.length = 0
  await sql`delete from archive.jobs`.execute(functions.db)
})

/** For what a busy machine takes its time with. */
const patience = { timeout: 20_000 }

const everyMinute = timer('every-minute')

/** Makes rooms due, as a sweep does; they are taken in this order. */
async function due(...rooms: readonly SimulatedRoom[]): Promise<void> {
  const ids = rooms.map(({ roomId }) => String(roomId))
  await sql`
    insert into archive.jobs (room_id, due_at, deadline_at, hinted_by)
    select room_id, now(), now() + make_interval(days => 1, secs => number), 'sweep'
    from unnest(${ids}::bigint[]) with ordinality as room (room_id, number)`.execute(functions.db)
}

async function jobs() {
  const { rows } = await sql<{ room_id: bigint; state: string; leased_by: string | null; reason: string | null }>`
    select room_id, state, leased_by, reason from archive.jobs order by room_id`.execute(functions.db)
  return rows
}

async function countJobs(state: string): Promise<number> {
  return (await jobs()).filter((job) => job.state === state).length
}

async function expectNoLeases(): Promise<void> {
  expect((await jobs()).filter(({ leased_by }) => leased_by !== null)).toEqual([])
}

test('the timer has all that is due archived', async () => {
  const rooms = [functions.school.addRoom({ members: 30 }), functions.school.addRoom({ members: 1200 })]
  await due(...rooms)
  const answer = answerOf(await instance.invoke(everyMinute))
  expect(answer).toEqual({ archived: 2, expired: 0, put_off: 0, requests: 3, members: 1230, malformed: 0 })
  for (const room of rooms) await expectTruth(functions.db, room)
})

test('the timer with nothing due answers at once, and asks LCIC for nothing', async () => {
  const outcome = await instance.invoke(everyMinute)
  expect(answerOf(outcome)).toMatchObject({ archived: 0, requests: 0 })
  expect(outcome.durationMs).toBeLessThan(200)
  expect(functions.simulator.requests).toEqual([])
})

test('rooms that an event names are archived, ids beyond 2^53 as strings; what names no room is counted', async () => {
  const large = functions.school.addRoom({ roomId: 9_007_199_254_740_993n, members: 3 })
  const ordinary = functions.school.addRoom({ members: 2 })
  const RoomIds = [
    String(large.roomId),
    Number(ordinary.roomId),
    String(ordinary.roomId),
    -1,
    1.5,
    '',
    '0',
    '9'.repeat(19),
    null,
    {},
  ]
  const answer = answerOf(await instance.invoke({ RoomIds }))
  expect(answer).toMatchObject({ archived: 2, not_archived: 0, malformed: 7, requests: 2, members: 5 })
  expect(answer.rooms).toMatchObject([
    { room_id: '9007199254740993', outcome: 'archived', records: 3 },
    { room_id: Number(ordinary.roomId), outcome: 'archived', records: 2 },
  ])
  await expectTruth(functions.db, large)
  await expectTruth(functions.db, ordinary)
})

test('a number beyond 2^53 is no id: its last digits may not be its own', async () => {
  const answer = answerOf(await instance.invoke({ RoomIds: [2 ** 53] }))
  expect(answer).toMatchObject({ archived: 0, malformed: 1, requests: 0 })
})

test('messages of CKafka make their rooms due, and malformed ones between them stop nothing', async () => {
  const rooms = Array.from({ length: 3 }, () => functions.school.addRoom({ members: 4 }))
  const messages = [
    ...['{"RoomId":', '{"Room":1}', '[]', 'null', '{"RoomId":-1}', ''],
    ...rooms.map(({ roomId }) => JSON.stringify({ RoomId: String(roomId), SomethingNew: [] })),
  ]
  const Records: unknown[] = messages.map((msgBody, offset) => ({
    Ckafka: { topic: 'ended', partition: 0, offset, msgKey: 'key', msgBody },
  }))
  Records.splice(2, 0, null, {}, { Ckafka: null }, { Ckafka: { topic: 'ended' } })
  const answer = answerOf(await instance.invoke({ Records }))
  expect(answer).toMatchObject({ archived: 3, malformed: 10 })
  for (const room of rooms) await expectTruth(functions.db, room)
  // Delivered again, as the platform does after a failure: read once more at most, and nothing is written.
  expect(answerOf(await instance.invoke({ Records }))).toMatchObject({ malformed: 10 })
  for (const room of rooms) await expectTruth(functions.db, room)
})

test.each([
  ['a text', 'archive all of it'],
  ['a list', [1, 2]],
  ['ids that are no list', { RoomIds: 5 }],
  ['records that are no list', { Records: 'x' }],
])('an event that is %s is answered with what is wrong with it', async (_what, event) => {
  const answer = answerOf(await instance.invoke(event))
  expect(answer).toEqual({ error: { code: 'E_EVENT', message: expect.stringContaining('RoomIds') } })
})

test('started by a callback, it waits for those that come just after', async () => {
  const [first, second] = [functions.school.addRoom({ members: 2 }), functions.school.addRoom({ members: 2 })]
  await due(first)
  const running = instance.invoke({ Type: 'Callback' })
  while (functions.simulator.requests.length === 0) await new Promise(setImmediate)
  await due(second)
  expect(answerOf(await running)).toMatchObject({ archived: 2 })

  const outcome = await instance.invoke({ Type: 'Callback' })
  expect(answerOf(outcome)).toMatchObject({ archived: 0, requests: 0 })
  expect(outcome.durationMs).toBeGreaterThanOrEqual(START_SPACING_MS)
})

test('a room whose statistics are being computed is put off, and the others are archived', async () => {
  const early = functions.school.addRoom({ members: 5, notReadyAnswers: 1 })
  const ready = functions.school.addRoom({ members: 5 })
  await due(early, ready)
  expect(answerOf(await instance.invoke(everyMinute))).toMatchObject({ archived: 1, put_off: 1, requests: 2 })
  expect(await jobs()).toMatchObject([
    { room_id: early.roomId, state: 'pending', leased_by: null, reason: 'not_ready' },
    { room_id: ready.roomId, state: 'archived', leased_by: null },
  ])
})

test('when its time runs out it takes no more rooms, gives back those it cannot finish, and nothing is lost', async () => {
  const rooms = Array.from({ length: 150 }, () => functions.school.addRoom({ members: 3 }))
  const stuck = rooms.slice(2, 5)
  const isStuck = (id = 0n) => stuck.some(({ roomId }) => roomId === id)
  await due(...rooms)
  functions.simulator.setFaults(
    ({ roomId }): Fault => (isStuck(roomId) ? { kind: 'hang' } : { kind: 'delay', ms: 200 }),
  )
  const outcome = await instance.invoke(everyMinute, { timeLimitMs: 6000 })
  answerOf(outcome)
  expect(outcome.durationMs).toBeLessThan(6000)
  const stuckRequests = functions.simulator.requests.filter(({ roomId }) => isStuck(roomId))
  expect(stuckRequests.length).toBeGreaterThan(0)
  expect(new Set(stuckRequests.map(({ roomId }) => roomId)).size).toBe(stuckRequests.length)
  const archived = await countJobs('archived')
  expect(archived).toBeGreaterThan(0)
  expect(archived).toBeLessThan(rooms.length)
  await expectNoLeases()
  const { rows: runs } = await sql<{ interrupted: number; takenForMs: number }>`
    select (count(*) filter (where outcome = 'interrupted'))::int as interrupted,
      extract(epoch from max(started_at) - min(started_at))::float8 * 1000 as "takenForMs"
    from archive.runs where room_id = any (${rooms.map(({ roomId }) => String(roomId))}::bigint[])`.execute(
    functions.db,
  )
  expect(runs[0]?.interrupted).toBeGreaterThanOrEqual(stuckRequests.length)
  // Half of its time it takes rooms: for those in hand there is the other half.
  expect(runs[0]?.takenForMs).toBeLessThan(3500)

  functions.simulator.setFaults(undefined)
  expect(answerOf(await instance.invoke(everyMinute))).toMatchObject({ archived: rooms.length - archived })
  expect(await countJobs('archived')).toBe(rooms.length)
  for (const room of rooms.slice(0, 8)) await expectTruth(functions.db, room)
})

test('rooms that were named and for which there was no time stay due', async () => {
  // Half of its time it takes rooms, eight at once: with such answers, 240 of them at the most.
  const rooms = Array.from({ length: 260 }, () => functions.school.addRoom({ members: 3 }))
  functions.simulator.setFaults({ rate: 1, kinds: [{ kind: 'delay', ms: 100 }] })
  const RoomIds = rooms.map(({ roomId }) => String(roomId))
  const outcome = await instance.invoke({ RoomIds }, { timeLimitMs: 6000 })
  await expectNoLeases()
  const archived = await countJobs('archived')
  expect(archived).toBeLessThan(rooms.length)
  // Those in hand had the time to be finished: it tells of all of them.
  expect(answerOf(outcome)).toMatchObject({ archived })
  functions.simulator.setFaults(undefined)
  const next = await instance.invoke(everyMinute, { timeLimitMs: 60_000 })
  expect(answerOf(next)).toMatchObject({ archived: rooms.length - archived })
})

test('killed at its time-out in the middle of a pull, it has lost nothing: the next invocation goes on at the next page', async () => {
  const room = functions.school.addRoom({ members: 4500 })
  await due(room)
  const victim = await functions.start('archive-rooms')
  functions.simulator.setFaults(({ page = 1 }) => (page > 2 ? { kind: 'hang' } : undefined))
  const running = victim.invoke(everyMinute)
  await vi.waitFor(async () => expect(await landedPages(room)).toBe(2), patience)
  await victim.kill()
  expect(await running).toMatchObject({ died: true })
  const [job] = await jobs()
  expect(job).toMatchObject({ state: 'pending', leased_by: expect.stringMatching(/^scf /) })

  // A minute passes, and the lease with it.
  await sql`update archive.jobs set lease_until = now() - interval '1 second'`.execute(functions.db)
  functions.simulator.setFaults(undefined)
  functions.simulator.requests.length = 0
  expect(answerOf(await instance.invoke(everyMinute))).toMatchObject({ archived: 1, requests: 3 })
  await expectTruth(functions.db, room)
})

test('killed by the platform at its time-out, because the database keeps it waiting, it leaves nothing half done', async () => {
  const room = functions.school.addRoom({ members: 2 })
  await due(room)
  const waiting = await functions.start('archive-rooms')
  const event = { RoomIds: [String(room.roomId)] }
  await functions.db.transaction().execute(async (tx) => {
    await sql`select from archive.jobs for update`.execute(tx)
    expect(await waiting.invoke(event, { timeLimitMs: 700 })).toMatchObject({ died: true })
  })
  expect(functions.simulator.requests).toEqual([])
  expect(answerOf(await instance.invoke(event))).toMatchObject({ archived: 1 })
})

async function landedPages({ roomId }: SimulatedRoom): Promise<number> {
  const { rows } = await sql`select from archive.raw_pages where room_id = ${roomId}`.execute(functions.db)
  return rows.length
}

test('credentials that change between two invocations are used from then on', async () => {
  const [before, after] = [functions.school.addRoom({ members: 2 }), functions.school.addRoom({ members: 2 })]
  await due(before)
  expect(answerOf(await instance.invoke(everyMinute))).toMatchObject({ archived: 1 })
  const former = { ...credentials }
  Object.assign(credentials, { secretId: 'next-secret-id', secretKey: 'next-secret-key', token: 'next-session-token' })
  await due(after)
  const environment = roleEnvironment(credentials)
  expect(answerOf(await instance.invoke(everyMinute, { environment }))).toMatchObject({ archived: 1 })
  Object.assign(credentials, former)
  await instance.invoke(everyMinute, { environment: roleEnvironment(former) })
})

test.each(['named', 'due'])(
  'connections that broke while it was frozen are replaced: rooms that are %s are archived as if nothing had been',
  async (how) => {
    const application = `frozen ${how}`
    const url = new URL(functions.url)
    url.searchParams.set('application_name', application)
    const frozen = await functions.start('archive-rooms', { environment: { DATABASE_URL: url.href } })
    const warming = Array.from({ length: 6 }, () => functions.school.addRoom({ members: 2 }))
    await due(...warming)
    expect(answerOf(await frozen.invoke(everyMinute))).toMatchObject({ archived: 6 })
    const room = functions.school.addRoom({ members: 2 })
    if (how === 'due') await due(room)
    const event = how === 'due' ? everyMinute : { RoomIds: [String(room.roomId)] }
    const outcome = await frozen.invoke(event, {
      async whileFrozen() {
        expect(await breakConnections(application)).toBeGreaterThan(1)
        await vi.waitFor(async () => expect(await breakConnections(application)).toBe(0), patience)
      },
    })
    expect(answerOf(outcome)).toMatchObject({ archived: 1 })
    await expectTruth(functions.db, room)
  },
)

/** @returns how many there were */
async function breakConnections(application: string): Promise<number> {
  const { rows } = await sql`
    select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${application}`.execute(
    functions.db,
  )
  return rows.length
}

test('of two instances that were made from one snapshot, neither takes the other for dead', async () => {
  const room = functions.school.addRoom({ members: 2 })
  await due(room)
  // No process has it: whoever looks for it finds nobody.
  const pid = 4_194_303
  const [one, other] = [
    await functions.start('archive-rooms', { pid }),
    await functions.start('archive-rooms', { pid }),
  ]
  functions.simulator.setFaults({ rate: 1, kinds: ['hang'] })
  const working = one.invoke(everyMinute)
  await vi.waitFor(() => expect(functions.simulator.requests).toHaveLength(1), patience)
  const held = await jobs()
  expect(held).toMatchObject([{ leased_by: expect.stringMatching(/./) }])
  expect(answerOf(await other.invoke(everyMinute))).toMatchObject({ archived: 0, requests: 0 })
  expect(await jobs()).toEqual(held)
  await one.kill()
  expect(await working).toMatchObject({ died: true })
})

test('a room of 20,000 members, with fields that nobody knows among them, fits into the memory of the smallest function', async () => {
  const room = functions.school.addRoom({ members: 20_000, frozen: true })
  const fresh = await functions.start('archive-rooms')
  const outcome = await fresh.invoke({ RoomIds: [String(room.roomId)] })
  expect(answerOf(outcome)).toMatchObject({ archived: 1, members: 20_000 })
  // Without lib/platform/small-heap.ts it takes 104 and more.
  expect(outcome.peakRssBytes / 1024 / 1024).toBeLessThan(95)
})

test('each invocation names itself in its log lines, and no line tells a secret', async () => {
  const room = functions.school.addRoom({ members: 2 })
  await due(room)
  answerOf(await instance.invoke(everyMinute, { requestId: 'request-of-this-test' }))
  const lines = linesOf(instance).filter(({ invocation }) => invocation === 'request-of-this-test')
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.at(-1)).toMatchObject({ function: 'lcic-archive-test-archive-rooms' })
})
