import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  archiveLeasedRoom,
  archiveRoom,
  beginRooms,
  type ConfigurationError,
  isDone,
  type RoomReport,
} from '../../lib/archive/archive-room'
import { OUT_OF_BUDGET } from '../../lib/archive/budget'
import { claimNamedRoom } from '../../lib/archive/claim'
import type { ArchiveContext } from '../../lib/archive/context'
import { LEASE_MS } from '../../lib/db/leases'
import { ArchiveError } from '../../lib/errors'
import { SourceError } from '../../lib/lcic/errors'
import { openTestArchive, type TestArchive } from '../support/archive'
import { testLog } from '../support/log-directory'

let archive: TestArchive
let context: ArchiveContext
let logged: Record<string, unknown>[]
let slept: [number, AbortSignal | undefined][]
let time = 1_780_000_000_000
beforeAll(async () => {
  archive = await openTestArchive()
})
afterAll(() => archive.close())
beforeEach(() => {
  logged = []
  slept = []
  const log = testLog((line) => logged.push(JSON.parse(line)))
  const clock = {
    // Each look at it takes a quarter of a millisecond.
    now: () => (time += 0.25),
    async sleep(durationMs: number, signal?: AbortSignal) {
      slept.push([durationMs, signal])
      time += durationMs
    },
  }
  context = { ...archive.context, log, clock, now: () => new Date(time) }
})
afterEach(async () => {
  archive.simulator.setFaults(undefined)
  await sql`drop trigger if exists disturbance on archive.runs`.execute(archive.db)
  await sql`drop trigger if exists disturbance on archive.raw_pages`.execute(archive.db)
})

const addRoom = (members = 3) => archive.school.addRoom({ members }).roomId
const archiveIt = (roomId: bigint, changes: Partial<ArchiveContext> = {}, signal?: AbortSignal) =>
  archiveRoom({ ...context, ...changes }, roomId, { waitMs: 0, ...(signal && { signal }) })
const jobOf = (roomId: bigint) =>
  archive.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
const runsOf = (roomId: bigint) =>
  archive.db.selectFrom('archive.runs').selectAll().where('room_id', '=', roomId).orderBy('attempt').execute()
const linesOf = (msg: string) => logged.filter((line) => line.msg === msg)

/** LCIC, and what happens before it answers. */
const meanwhile = (act: (page: number) => unknown): Partial<ArchiveContext> => ({
  lcic: {
    ...context.lcic,
    async describeRoomStatistics(roomId, page, options) {
      const answer = await context.lcic.describeRoomStatistics(roomId, page, options)
      await act(page)
      return answer
    },
  },
})

/** Has the database do something whenever somebody writes to a table. */
async function disturb(table: 'runs' | 'raw_pages', action: string): Promise<void> {
  const body = sql.lit(`begin ${action}; return new; end`)
  await sql`create or replace function archive.disturb() returns trigger language plpgsql as ${body}`.execute(
    archive.db,
  )
  await sql`
    create trigger disturbance before insert or update on ${sql.table(`archive.${table}`)}
    for each row execute function archive.disturb()`.execute(archive.db)
}

const refuse = (table: 'runs' | 'raw_pages', sqlState: string) =>
  disturb(table, `raise exception 'no' using errcode = '${sqlState}'`)

const nothing = { pages: 0, records: 0, inserted: 0, updated: 0, removed: 0, duplicates: 0 }

test('a room is done once it is archived or expired, unless it is due again for a failure', () => {
  const done = (facts: Partial<RoomReport>) =>
    isDone({ roomId: 1n, outcome: 'unchanged', ...nothing, requests: 0, durationMs: 0, ...facts })
  const dueAt = new Date()
  expect(done({ state: 'archived' })).toBe(true)
  expect(done({ state: 'archived', outcome: 'transient', dueAt })).toBe(false)
  expect(done({ state: 'archived', outcome: 'gone' })).toBe(true)
  for (const outcome of ['shrunk', 'emptied'] as const) expect(done({ state: 'archived', outcome, dueAt })).toBe(true)
  expect(done({ state: 'expired', outcome: 'expired' })).toBe(true)
  expect(done({ state: 'pending', outcome: 'not_ready', dueAt })).toBe(false)
  expect(done({ outcome: 'busy' })).toBe(false)
})

test('a report says what was read and written, and the log says the same', async () => {
  const roomId = addRoom(1001)
  const startedAt = time
  const report = await archiveIt(roomId)
  const { requestId } = archive.simulator.requests.at(-1) ?? {}
  const facts = {
    outcome: 'archived',
    ...nothing,
    ...{ state: 'archived', attempt: 1, pages: 2, records: 1001, inserted: 1001, requests: 2, requestId },
  }
  expect(report).toEqual({ roomId, ...facts, durationMs: expect.any(Number) })
  expect(Number.isInteger(report.durationMs)).toBe(true)
  expect(report.durationMs).toBeGreaterThan(0)
  expect(report.durationMs).toBeLessThanOrEqual(time - startedAt + 1)
  expect(linesOf('room')).toEqual([expect.objectContaining({ level: 30, roomId: String(roomId), ...facts })])
  expect(linesOf('room')[0]).not.toHaveProperty('reason')
})

test('a room that another process works on is left to it, and so is one that it has taken over', async () => {
  const roomId = addRoom()
  const lease = await claimNamedRoom(context, roomId, { waitMs: 0 })
  const busy = { roomId, outcome: 'busy', ...nothing, requests: 0, durationMs: expect.any(Number) }
  const message = `Room ${roomId}: another process is at work on it. Nothing was changed here.`
  expect(await archiveIt(roomId)).toEqual({ ...busy, message })
  expect(linesOf('room')).toMatchObject([{ level: 40, outcome: 'busy', reason: message }])
  expect(linesOf('room')[0]).not.toHaveProperty('message')

  const takeOver = sql`update archive.jobs set leased_by = 'another' where room_id = ${roomId}`
  await takeOver.execute(archive.db)
  const over = `Room ${roomId}: another process has taken it over. Nothing was changed here.`
  const lost = lease && (await archiveLeasedRoom(context, lease, { waitMs: 0 }))
  expect(lost).toEqual({ ...busy, message: over })
  expect(await runsOf(roomId)).toEqual([])
  await sql`update archive.jobs set leased_by = null, lease_until = null where room_id = ${roomId}`.execute(archive.db)
  expect(
    await archiveIt(
      roomId,
      meanwhile(() => takeOver.execute(archive.db)),
    ),
  ).toEqual({ ...busy, message: over })
  expect(await runsOf(roomId)).toMatchObject([{ outcome: null }])
  expect(await jobOf(roomId)).toMatchObject({ leased_by: 'another' })
  expect(linesOf('attempt failed')).toEqual([])
})

test('a room that is taken over once its pages are there is not written', async () => {
  const roomId = addRoom()
  await archiveIt(roomId)
  const before = await archive.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).execute()
  archive.school.rooms.get(roomId)?.members.pop()
  await disturb('raw_pages', `update archive.jobs set leased_by = 'another' where room_id = new.room_id`)
  expect(await archiveIt(roomId)).toMatchObject({ outcome: 'busy', message: expect.stringContaining('taken it over') })
  expect(await archive.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).execute()).toEqual(
    before,
  )
  expect((await runsOf(roomId))[1]).toMatchObject({ outcome: null, content_hash: null })
})

test('what was pruned is not asked for again', async () => {
  const roomId = addRoom()
  await archiveIt(roomId)
  const requests = archive.simulator.requests.length
  await sql`update archive.rooms set members_pruned_at = now() where room_id = ${roomId}`.execute(archive.db)
  await sql`update archive.jobs set due_at = now() where room_id = ${roomId}`.execute(archive.db)
  const detail = 'Its members were deleted by prune, and are not asked for again.'
  expect(await archiveIt(roomId)).toMatchObject({
    ...{ outcome: 'unchanged', state: 'archived', attempt: 2, requests: 0, message: `Room ${roomId}: ${detail}` },
    ...nothing,
  })
  expect((await runsOf(roomId))[1]).toMatchObject({ outcome: 'unchanged', error_message: detail })
  expect(await jobOf(roomId)).toMatchObject({ state: 'archived', due_at: null, leased_by: null, attempts: 0 })
  expect(archive.simulator.requests).toHaveLength(requests)
})

test('of refusals as wrongly asked, those that are the room’s own fault put it off, and others stop the run', async () => {
  const roomId = addRoom()
  const refusedWith = async (code: string, isRoomsFault?: (code: string) => boolean) => {
    archive.simulator.setFaults(() => ({ kind: 'error', code, message: 'No.' }))
    const lease = await claimNamedRoom(context, roomId, { waitMs: 0 })
    if (!lease) throw new Error('The room is not free.')
    return archiveLeasedRoom(context, lease, { waitMs: 0 }, isRoomsFault && { isRoomsFault })
  }
  const asked: string[] = []
  const itsFault = (code: string) => asked.push(code) > 0
  expect(await refusedWith('InvalidParameter', itsFault)).toMatchObject({
    ...{ outcome: 'refused', code: 'InvalidParameter', state: 'pending', attempt: 1, requests: 1 },
    ...{ requestId: archive.simulator.requests.at(-1)?.requestId, dueAt: expect.any(Date), ...nothing },
    message: expect.stringContaining(`Room ${roomId}: LCIC refuses the request for this room (InvalidParameter: No).`),
  })
  expect(await refusedWith('InternalError', itsFault)).toMatchObject({ outcome: 'transient', code: 'InternalError' })
  expect(asked).toEqual(['InvalidParameter'])
  const stopped = (code: string, isRoomsFault?: () => boolean) =>
    refusedWith(code, isRoomsFault).catch((error: ConfigurationError) => error)
  const stop = {
    name: 'ConfigurationError',
    code: 'InvalidParameter',
    message: expect.stringContaining('LCIC_ENDPOINT'),
  }
  expect(await stopped('InvalidParameter', () => false)).toMatchObject(stop)
  expect(await stopped('InvalidParameter')).toMatchObject(stop)
  expect(await jobOf(roomId)).toMatchObject({ leased_by: null, reason: 'configuration' })
  expect((await runsOf(roomId)).map(({ outcome }) => outcome)).toEqual([
    'refused',
    'transient',
    'configuration',
    'configuration',
  ])
})

test('pages that contradict each other are read again after a second or two, and each attempt is closed', async () => {
  const roomId = addRoom(2500)
  const { signal } = new AbortController()
  const lose = (page: number) =>
    page === 2 && sql`delete from archive.raw_pages where room_id = ${roomId} and page = 1`.execute(archive.db)
  const report = await archiveIt(roomId, meanwhile(lose), signal)
  expect(report).toMatchObject({ outcome: 'inconsistent', code: 'E_INCONSISTENT', attempt: 3, requests: 9, pages: 3 })
  expect(slept.map(([, given]) => given)).toEqual([signal, signal])
  const [first = 0, second = 0] = slept.map(([durationMs]) => durationMs)
  for (const [found, most] of [
    [first, 1000],
    [second, 2000],
  ] as const) {
    expect(found).toBeGreaterThanOrEqual(0.8 * most)
    expect(found).toBeLessThanOrEqual(most)
  }
  const runs = await runsOf(roomId)
  expect(runs).toMatchObject(
    Array(3).fill({ outcome: 'inconsistent', error_message: expect.stringContaining('landed') }),
  )
  for (const { request_ids } of runs) expect(request_ids).toHaveLength(3)
  expect(report.requestId).toBe(runs.at(-1)?.request_ids?.at(-1))
  expect(await jobOf(roomId)).toMatchObject({ last_request_id: report.requestId })
})

test('an attempt that has begun already is gone on with, and the next one begins anew', async () => {
  const begin = async (roomId: bigint) => {
    const lease = await claimNamedRoom(context, roomId, { waitMs: 0 })
    const begun = lease && (await beginRooms(context, [lease])).get(roomId)
    if (!lease || !begun) throw new Error('The room is not free.')
    return archiveLeasedRoom(context, lease, { waitMs: 0 }, { begun })
  }
  const roomId = addRoom()
  expect(await begin(roomId)).toMatchObject({ outcome: 'archived', attempt: 1, requests: 1 })
  expect(await begin(roomId)).toMatchObject({ outcome: 'unchanged', state: 'archived', attempt: 2, records: 3 })
  const early = archive.school.addRoom({ members: 0, figures: { PeakMemberNumber: 12 } }).roomId
  const { dueAt, message, ...report } = await begin(early)
  const { requestId } = archive.simulator.requests.at(-1) ?? {}
  expect(report).toMatchObject({ outcome: 'inconsistent', code: 'E_INCONSISTENT', attempt: 3, requests: 3, requestId })
  expect(message).toContain('(E_INCONSISTENT: LCIC counts 12 members online, and lists nobody)')
  expect(await jobOf(early)).toMatchObject({ last_request_id: requestId, due_at: dueAt })
  expect((await runsOf(early)).map(({ attempt }) => attempt)).toEqual([1, 2, 3])
})

test('a room whose slot comes too late is given back as it was, and pages that are there are gone on from', async () => {
  const roomId = addRoom(1500)
  const { budget } = context
  let slots = 1
  const poor: typeof budget = {
    ...budget,
    async take(...args) {
      if (slots-- > 0) return budget.take(...args)
      throw new SourceError('throttled', OUT_OF_BUDGET, 'There is no slot.')
    },
  }
  expect(await archiveIt(roomId, { budget: poor })).toEqual({
    ...{ roomId, outcome: 'throttled', code: 'E_BUDGET', attempt: 1, requests: 1, ...nothing },
    ...{ requestId: archive.simulator.requests.at(-1)?.requestId, durationMs: expect.any(Number) },
    message: `Room ${roomId}: There is no slot. It was given back as it was.`,
  })
  expect(await jobOf(roomId)).toMatchObject({ attempts: 0, reason: null, leased_by: null, last_error_code: null })
  expect(await archiveIt(roomId)).toMatchObject({ outcome: 'archived', attempt: 2, requests: 1, records: 1500 })
  const [first, second] = await runsOf(roomId)
  expect(first).toMatchObject({ outcome: 'interrupted', error_message: 'There is no slot.', error_code: null })
  // Who has landed a page is known to who goes on.
  expect(second?.request_ids).toEqual([...(first?.request_ids ?? []), expect.any(String)])
})

test('the wait for another process is part of how long it took', async () => {
  const roomId = addRoom()
  await claimNamedRoom(context, roomId, { waitMs: 0 })
  const clock = {
    ...context.clock,
    async sleep(durationMs: number) {
      time += durationMs
      await sql`update archive.jobs set lease_until = null where room_id = ${roomId}`.execute(archive.db)
    },
  }
  const report = await archiveRoom({ ...context, clock }, roomId, { waitMs: 5000 })
  expect(report).toMatchObject({ outcome: 'archived' })
  expect(report.durationMs).toBeGreaterThanOrEqual(500)
})

test('a mistake of this program that a room brings to light puts off that room', async () => {
  const roomId = addRoom()
  const observe = () => {
    throw new TypeError('a defect')
  }
  const report = await archiveIt(roomId, { observe })
  const { requestId } = archive.simulator.requests.at(-1) ?? {}
  const code = 'E_UNEXPECTED'
  expect(report).toMatchObject({ outcome: 'rejected', code, state: 'pending', attempt: 1, ...nothing, requestId })
  expect(report.message).toContain(`Room ${roomId}: what LCIC sent cannot be stored (E_UNEXPECTED: a defect).`)
  const subject = { roomId: String(roomId), attempt: 1, requestId }
  expect(linesOf('unexpected error')).toMatchObject([{ level: 50, ...subject, err: { message: 'a defect' } }])
  expect(await jobOf(roomId)).toMatchObject({ last_request_id: requestId, last_error_code: code, attempts: 1 })
})

test('what PostgreSQL or JavaScript cannot hold puts off the room that has it', async () => {
  const roomId = addRoom()
  const observe = () => {
    throw new RangeError('Invalid string length')
  }
  const { requestId, ...report } = await archiveIt(roomId, { observe })
  expect(report).toMatchObject({ outcome: 'rejected', code: 'E_UNREADABLE_PAGE', ...nothing })
  expect(report.message).toContain('(E_UNREADABLE_PAGE: Invalid string length)')
  expect(await jobOf(roomId)).toMatchObject({ last_request_id: requestId })
  await refuse('raw_pages', '22021')
  expect(await archiveIt(roomId)).toMatchObject({ outcome: 'rejected', code: '22021' })
  expect(linesOf('unexpected error')).toEqual([])
})

test('an error that any room would meet ends the call, and the room is given back as it was', async () => {
  const roomId = addRoom()
  const failWith = (error: Error) =>
    meanwhile(() => {
      throw error
    })
  const blocked = new ArchiveError('E_BLOCKED', 'Nobody may pass.')
  await expect(archiveIt(roomId, failWith(blocked))).rejects.toBe(blocked)
  await refuse('raw_pages', 'P0001')
  await expect(archiveIt(roomId)).rejects.toMatchObject({ code: 'P0001' })
  expect(await runsOf(roomId)).toMatchObject([
    { outcome: 'failed', error_code: null, error_message: 'Nobody may pass.', pages: 0 },
    { outcome: 'failed', error_message: 'PostgreSQL refused with SQLSTATE P0001' },
  ])
  const untouched = {
    state: 'pending',
    attempts: 0,
    reason: null,
    failing_since: null,
    leased_by: null,
    lease_until: null,
  }
  expect(await jobOf(roomId)).toMatchObject(untouched)
  for (const text of ['attempt failed', 'unexpected error', 'room']) expect(linesOf(text)).toEqual([])
})

test('an abort gives the room back, whatever error it shows as', async () => {
  const roomId = addRoom()
  const controller = new AbortController()
  const aborted = meanwhile(() => {
    controller.abort(new Error('enough'))
    throw new TypeError('cut off')
  })
  await expect(archiveIt(roomId, aborted, controller.signal)).rejects.toThrow()
  expect(await runsOf(roomId)).toMatchObject([{ outcome: 'interrupted', error_message: 'Stopped before it was done.' }])
  expect(await jobOf(roomId)).toMatchObject({ attempts: 0, reason: null, leased_by: null })
  for (const text of ['attempt failed', 'unexpected error']) expect(linesOf(text)).toEqual([])
})

test('a mistake of this program between two attempts ends the call, and is told with its place', async () => {
  const roomId = addRoom(2)
  const room = archive.school.rooms.get(roomId)
  room?.members.push({ UserId: '' })
  const clock = {
    ...context.clock,
    async sleep() {
      throw new TypeError('a defect')
    },
  }
  await expect(archiveIt(roomId, { clock })).rejects.toThrow('a defect')
  const requestId = archive.simulator.requests.at(-1)?.requestId
  const subject = { roomId: String(roomId), attempt: 1, requestId }
  expect(linesOf('attempt failed')).toMatchObject([{ level: 50, ...subject, err: { message: 'a defect' } }])
  expect(await jobOf(roomId)).toMatchObject({ attempts: 0, leased_by: null })
})

test('a room that cannot even be given back is left to the end of its lease', async () => {
  const roomId = addRoom()
  const blocked = new ArchiveError('E_BLOCKED', 'Nobody may pass.')
  const failing = meanwhile(async () => {
    await refuse('runs', 'P0001')
    throw blocked
  })
  await expect(archiveIt(roomId, failing)).rejects.toBe(blocked)
  expect(linesOf('the room could not be given back')).toMatchObject([
    { level: 40, roomId: String(roomId), attempt: 1, code: 'P0001', reason: 'PostgreSQL refused with SQLSTATE P0001' },
  ])
  const { lease_until } = await jobOf(roomId)
  expect(lease_until?.getTime()).toBeGreaterThan(time)
  expect(lease_until?.getTime()).toBeLessThanOrEqual(time + LEASE_MS)
})
