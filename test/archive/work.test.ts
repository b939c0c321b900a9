import { getEventListeners } from 'node:events'
import { type KyselyPlugin, sql } from 'kysely'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConfigurationError, type RoomReport } from '../../lib/archive/archive-room'
import { archiveRooms } from '../../lib/archive/archive-rooms'
import { createBudget } from '../../lib/archive/budget'
import { claimDue } from '../../lib/archive/claim'
import type { ArchiveContext } from '../../lib/archive/context'
import { type WorkOptions, work } from '../../lib/archive/work'
import { type Clock, systemClock } from '../../lib/clock'
import { connect } from '../../lib/db/connect'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { claimRoom, LEASE_MS } from '../../lib/db/leases'
import { releaseJob } from '../../lib/db/settle-job'
import type { JobState } from '../../lib/db/tables'
import { openTestArchive, type TestArchive } from '../support/archive'
import { hastyClock } from '../support/hasty-clock'
import { testLog } from '../support/log-directory'

let archive: TestArchive
let context: ArchiveContext
beforeEach(async () => {
  archive = await openTestArchive({ clock: systemClock, frozen: true })
  context = { ...archive.context, now: () => databaseTime }
})
afterEach(() => archive?.close())

/** Rooms of so many members, each with a job; the first are the first to be taken. */
async function addRooms(...members: readonly number[]): Promise<bigint[]> {
  const rooms = members.map((count) => archive.school.addRoom({ members: count }).roomId)
  const hints = rooms.map((roomId, index) => ({ roomId, endedAt: new Date(1e12 + index * 1000) }))
  await hintRooms(archive.db, { hints, hintedBy: 'sweep', now: databaseTime })
  return rooms
}

const small = (count: number): number[] => Array(count).fill(2)

async function workOff(options: Partial<WorkOptions> = {}, given: ArchiveContext = context) {
  const reports: RoomReport[] = []
  const done = await work(given, { until: 'nothing_due', ...options, onReport: (report) => reports.push(report) })
  return { ...done, reports }
}

async function jobs(...states: readonly JobState[]) {
  const query = archive.db.selectFrom('archive.jobs').selectAll().orderBy('room_id')
  return states.length > 0 ? query.where('state', 'in', states).execute() : query.execute()
}

/** Is told of each statement, and may throw in its place. */
function plugin(onStatement: () => void): KyselyPlugin {
  return {
    transformQuery({ node }) {
      onStatement()
      return node
    },
    transformResult: async ({ result }) => result,
  }
}

function unreachable(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
}

async function expectNoLease(): Promise<void> {
  for (const job of await jobs()) expect(job).toMatchObject({ leased_by: null, lease_until: null })
}

test('until nothing is due: what is due is archived, what is not is left', async () => {
  const rooms = await addRooms(...small(6))
  await sql`update archive.jobs set due_at = now() + interval '30 s' where room_id = ${rooms[5]}`.execute(archive.db)
  expect(await workOff()).toMatchObject({ archived: 5, putOff: 0, requests: 5, records: 10 })
  expect(await jobs('pending')).toMatchObject([{ room_id: rooms[5] }])
  await sql`update archive.jobs set due_at = now() where room_id = ${rooms[5]}`.execute(archive.db)
  expect(await work(context, { until: 'nothing_due' })).toMatchObject({ archived: 1 })
})

test('what is done is counted by what became of it', async () => {
  const [expired, unready, hanging, busy, ...others] = await addRooms(...small(6))
  const room = archive.school.rooms.get(expired ?? 0n)
  if (room) room.fate = 'expired'
  archive.simulator.setFaults(({ roomId }) => {
    if (roomId === unready) return { kind: 'error', code: 'ResourceUnavailable' }
    return roomId === hanging ? { kind: 'hang' } : undefined
  })
  // Another takes the room over before its page is landed.
  const lcic: ArchiveContext['lcic'] = {
    ...context.lcic,
    async describeRoomStatistics(roomId, ...rest) {
      const answer = await context.lcic.describeRoomStatistics(roomId, ...rest)
      if (roomId === busy)
        await sql`update archive.jobs set leased_by = 'x' where room_id = ${busy}`.execute(archive.db)
      return answer
    },
  }
  const { reports, ...done } = await workOff({ requestTimeoutMs: 50 }, { ...context, lcic, clock: hastyClock })
  expect(done).toEqual({ archived: 2, expired: 1, putOff: 2, requests: 4, records: 4 })
  const outcomes = reports.map(({ roomId, outcome, code }) => [roomId, outcome, code])
  expect(new Set(outcomes.map(String))).toEqual(
    new Set([
      `${expired},expired,FailedOperation.ClassExpired`,
      `${unready},not_ready,ResourceUnavailable`,
      `${hanging},transient,E_TIMEOUT`,
      `${busy},busy,`,
      ...others.map((roomId) => `${roomId},archived,`),
    ]),
  )
  // All of that is nothing new; and then one of them lacks a member.
  const again = async () => {
    await sql`update archive.jobs set due_at = now() where room_id = any(${others})`.execute(archive.db)
    return workOff()
  }
  expect(await again()).toMatchObject({ archived: 2, putOff: 0, records: 4 })
  const shrinking = archive.school.rooms.get(others[0] ?? 0n)
  if (shrinking) shrinking.members = shrinking.members.slice(0, 1)
  expect(await again()).toMatchObject({ archived: 1, putOff: 1, records: 2 })
})

test('until idle: what is due within a minute is waited for, what is due later is not', async () => {
  const [soon, late] = await addRooms(...small(2))
  await sql`update archive.jobs set due_at = now() + interval '1500 ms' where room_id = ${soon}`.execute(archive.db)
  await sql`update archive.jobs set due_at = now() + interval '5 min' where room_id = ${late}`.execute(archive.db)
  expect(await workOff({ until: 'idle' })).toMatchObject({ archived: 1 })
  expect(await jobs('pending')).toMatchObject([{ room_id: late }])
})

test('until stopped: what is hinted at meanwhile is archived, and an abort ends it', async () => {
  const stop = new AbortController()
  const working = workOff({ until: 'stopped', signal: stop.signal })
  await addRooms(...small(3))
  await vi.waitFor(async () => expect(await jobs('archived')).toHaveLength(3), { timeout: 10_000 })
  stop.abort()
  expect(await working).toMatchObject({ archived: 3 })
  await expectNoLease()
})

test('a room whose requests LCIC refuses is put off, and delays no other', async () => {
  const [poisonous, ...others] = await addRooms(...small(12))
  archive.simulator.setFaults(({ roomId }) =>
    roomId === poisonous ? { kind: 'error', code: 'InvalidParameter' } : undefined,
  )
  expect(await workOff()).toMatchObject({ archived: others.length, putOff: 1 })
  const [job, ...more] = await jobs('pending')
  expect(more).toEqual([])
  expect(job).toMatchObject({ room_id: poisonous, reason: 'refused', attempts: 1, last_error_code: 'InvalidParameter' })
  expect(job?.due_at?.getTime()).toBeGreaterThan(Date.now() + 9 * 60_000)
})

test('three different rooms refused in a row are no fault of theirs: the work stops', async () => {
  await addRooms(...small(30))
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'InvalidParameter' }))
  await expect(workOff()).rejects.toBeInstanceOf(ConfigurationError)
  const tried = archive.simulator.requests.filter(({ outcome }) => outcome === 'InvalidParameter')
  expect(new Set(tried.map(({ roomId }) => roomId)).size).toBeLessThan(30)
  await expectNoLease()
})

test.each([
  [2, 'is their own fault'],
  [3, 'is none of theirs'],
])('that %i rooms are refused, one after the other, %s', async (count) => {
  await addRooms(...small(count))
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'InvalidParameter' }))
  const working = workOff({ roomsAtOnce: 1 })
  if (count < 3) expect(await working).toMatchObject({ archived: 0, putOff: count })
  else await expect(working).rejects.toBeInstanceOf(ConfigurationError)
  expect(archive.simulator.requests).toHaveLength(count)
})

test('refused credentials stop the work at once, and cost no room anything', async () => {
  await addRooms(...small(10))
  const before = await jobs()
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'AuthFailure.SignatureFailure' }))
  // So slow that the answer is there before the next request may leave.
  const { db, lcic, clock } = context
  const slow = { ...context, budget: createBudget({ db, lcic, clock, requestsPerSecond: 0.5 }) }
  await expect(workOff({}, slow)).rejects.toBeInstanceOf(ConfigurationError)
  expect(archive.simulator.requests.length).toBe(1)
  const after = await jobs()
  for (const [index, { state, attempts, failing_since }] of after.entries()) {
    expect({ state, attempts, failing_since }).toEqual({ state: 'pending', attempts: 0, failing_since: null })
    expect(after[index]?.due_at?.getTime()).toBeLessThanOrEqual(Date.now() + 1)
  }
  expect(after).toHaveLength(before.length)
  await expectNoLease()
})

test('an unexpected error in one room rejects that room, and the others are archived', async () => {
  const [odd, ...others] = await addRooms(...small(8))
  const observe: ArchiveContext['observe'] = (event) => {
    if (event.type === 'page' && event.roomId === odd) throw new TypeError('a defect')
  }
  expect(await workOff({}, { ...context, observe })).toMatchObject({ archived: others.length, putOff: 1 })
  expect(await jobs('pending')).toMatchObject([
    { room_id: odd, reason: 'rejected', last_error_code: 'E_UNEXPECTED', leased_by: null },
  ])
})

test('whatever text a refusal brings, the room is put off with it, and the others are archived', async () => {
  const [odd, ...others] = await addRooms(...small(4))
  const addresses = '10.1.2.3 or 2001:db8::7\0 or ::ffff:10.1.2.3, IP:2001:db8::7 or IP2001:DB8::7: no'
  const message = `std::api from ${addresses} at 12:30:45 \ud800`
  archive.simulator.setFaults(({ roomId }) =>
    roomId === odd ? { kind: 'error', code: 'FailedOperation.RoomNotEnd', message } : undefined,
  )
  expect(await workOff()).toMatchObject({ archived: others.length, putOff: 1 })
  const [job] = await jobs('pending')
  expect(job).toMatchObject({ room_id: odd, reason: 'not_ended', last_error_code: 'FailedOperation.RoomNotEnd' })
  expect(job?.last_error_message).toContain(
    'std::api from (address) or (address)\u{FFFD} or (address), IP:(address) or IP(address): no at 12:30:45 \u{FFFD}',
  )
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'Odd\0.Code' }))
  await sql`update archive.jobs set due_at = now() where room_id = ${odd}`.execute(archive.db)
  await workOff({}, { ...context, clock: hastyClock })
  expect(await jobs('pending')).toMatchObject([
    { room_id: odd, reason: 'unknown', last_error_code: 'Odd\u{FFFD}.Code' },
  ])
})

test('an abort gives all rooms back as they were, and the work returns', async () => {
  await addRooms(...small(12))
  archive.simulator.setFaults(() => ({ kind: 'hang' }))
  const stop = new AbortController()
  const working = workOff({ signal: stop.signal })
  await vi.waitFor(() => expect(archive.simulator.requests.length).toBeGreaterThanOrEqual(8), { timeout: 10_000 })
  stop.abort()
  expect(await working).toMatchObject({ archived: 0, putOff: 0 })
  for (const job of await jobs()) expect(job).toMatchObject({ state: 'pending', attempts: 0, reason: null })
  await expectNoLease()
})

test('rooms whose slots come after the deadline are given back as they were, and no more of them are taken', async () => {
  await addRooms(...small(20))
  await context.budget.take('DescribeRoomStatistics', { mostMs: 1e9 })
  await context.budget.pushBack('DescribeRoomStatistics', 60_000)
  const before = (await jobs())[0]?.due_at
  expect(await workOff({ deadline: systemClock.now() + 1000 })).toMatchObject({ archived: 0, putOff: 0, requests: 0 })
  for (const job of await jobs())
    expect(job).toMatchObject({ state: 'pending', attempts: 0, failing_since: null, reason: null, due_at: before })
  const runs = await archive.db.selectFrom('archive.runs').select('room_id').execute()
  expect(runs.length).toBeLessThanOrEqual(8)
  await expectNoLease()
})

test('until nothing is due, but not before a time: what becomes due until then is archived', async () => {
  const startedAt = systemClock.now()
  const working = workOff({ notBefore: startedAt + 500 })
  await addRooms(...small(2))
  expect(await working).toMatchObject({ archived: 2 })
  expect(systemClock.now() - startedAt).toBeGreaterThanOrEqual(500)
})

test('of rooms that are named, those that cannot be begun by the deadline are left as they are', async () => {
  const rooms = await addRooms(...small(3))
  const clock: Clock = { ...systemClock, now: () => 1000 }
  for (const deadline of [999, 1000])
    expect(await archiveRooms({ ...context, clock }, rooms, { waitMs: 0, deadline })).toEqual([])
  expect(await jobs('pending')).toMatchObject(rooms.map((room_id) => ({ room_id, last_attempt_at: null })))
})

test('rooms that are named are archived eight at a time, and told of in the order in which they were named', async () => {
  const rooms = await addRooms(...small(12))
  const named = [...rooms].reverse()
  let [inHand, most] = [0, 0]
  archive.simulator.setFaults(({ roomId }) => {
    most = Math.max(most, ++inHand)
    return { kind: 'delay', ms: roomId === named[0] ? 500 : 300 }
  })
  const told: bigint[] = []
  const { signal } = new AbortController()
  const reports = await archiveRooms(context, named, { waitMs: 0, signal }, ({ roomId }) => {
    inHand--
    told.push(roomId)
  })
  expect(reports).toMatchObject(named.map((roomId) => ({ roomId, outcome: 'archived' })))
  expect(told.sort()).toEqual(rooms)
  expect(most).toBe(8)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('refused credentials end the work on rooms that are named, and those under way are given back', async () => {
  const rooms = await addRooms(...small(12))
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'AuthFailure.SignatureFailure' }))
  const { db, lcic, clock } = context
  const slow = { ...context, budget: createBudget({ db, lcic, clock, requestsPerSecond: 0.5 }) }
  const { signal } = new AbortController()
  await expect(archiveRooms(slow, rooms, { waitMs: 0, signal })).rejects.toBeInstanceOf(ConfigurationError)
  expect(archive.simulator.requests).toHaveLength(1)
  expect(await jobs('pending')).toHaveLength(12)
  await expectNoLease()
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('whoever works is named in leases as it says', async () => {
  const [room = 0n] = await addRooms(2)
  const [lease] = await claimDue({ ...context, worker: 'scf 4711' }, { limit: 1 })
  expect(lease).toMatchObject({ roomId: room, holder: expect.stringMatching(/^scf 4711:[0-9a-f]{8}-\d+$/) })
  // Its end cannot be seen from here.
  expect(await claimDue(context, { limit: 1 })).toEqual([])
})

test('rooms that were refused before do not stop the work, however many come by together', async () => {
  const poisonous = await addRooms(...small(6))
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'InvalidParameter' }))
  await sql`update archive.jobs set reason = 'refused', reason_since = now(), failing_since = now()`.execute(archive.db)
  expect(await workOff()).toMatchObject({ archived: 0, putOff: poisonous.length })
  const { due_at } = (await jobs('pending'))[0] ?? {}
  expect(due_at?.getTime()).toBeGreaterThan(Date.now() + 9 * 60_000)
  await expectNoLease()
})

test('rooms that are refused now and then, with others archived between them, do not stop the work', async () => {
  const rooms = await addRooms(...small(10))
  const refused = new Set(rooms.filter((_, index) => index % 2 === 0))
  archive.simulator.setFaults(({ roomId }) =>
    roomId !== undefined && refused.has(roomId) ? { kind: 'error', code: 'InvalidParameter' } : undefined,
  )
  expect(await workOff({ roomsAtOnce: 1 })).toMatchObject({ archived: 5, putOff: 5 })
})

test('no more rooms are in hand at once than allowed', async () => {
  await addRooms(...small(12))
  let [inHand, most] = [0, 0]
  archive.simulator.setFaults(() => {
    most = Math.max(most, ++inHand)
    // Longer than the first may take before another is taken beside it.
    return { kind: 'delay', ms: 400 }
  })
  const done = await work(context, { until: 'nothing_due', roomsAtOnce: 3, onReport: () => inHand-- })
  expect(done).toMatchObject({ archived: 12, requests: 12 })
  expect(most).toBe(3)
})

test('until settled: what others have in hand is waited for, what is not due is not', async () => {
  const [elsewhere, late] = await addRooms(...small(2))
  await sql`update archive.jobs set due_at = now() + interval '10 s' where room_id = ${late}`.execute(archive.db)
  const lease = { roomId: elsewhere ?? 0n, holder: 'elsewhere' }
  await claimRoom(archive.db, { lease, now: databaseTime })
  let hasEnded = false
  const looked = new Set<number>()
  const clock: Clock = {
    ...systemClock,
    async sleep(durationMs, signal) {
      looked.add(durationMs)
      await systemClock.sleep(Math.min(durationMs, 20), signal)
    },
  }
  const working = workOff({ until: 'settled' }, { ...context, clock }).finally(() => {
    hasEnded = true
  })
  await vi.waitFor(() => expect(looked).toContain(1000))
  expect(hasEnded).toBe(false)
  await releaseJob(archive.db, { lease, now: databaseTime })
  expect(await working).toMatchObject({ archived: 1 })
  expect(await jobs('pending')).toMatchObject([{ room_id: late }])
})

test('a room whose outcome the database refused is taken up again at once', async () => {
  await addRooms(...small(3))
  const { db } = archive
  await sql`create sequence archive.refusals`.execute(db)
  await sql`
    create function archive.refuse() returns trigger language plpgsql as $$
      begin
        if nextval('archive.refusals') <= 2 then raise exception 'not now'; end if;
        return new;
      end $$`.execute(db)
  await sql`
    create trigger refuse before update on archive.jobs for each row when (new.state = 'archived')
    execute function archive.refuse()`.execute(db)
  const began = systemClock.now()
  expect(await workOff({ until: 'settled' })).toMatchObject({ archived: 3 })
  expect(systemClock.now() - began).toBeLessThan(LEASE_MS / 4)
  await expectNoLease()
})

test('a database that answers with errors alone ends the work after ten', async () => {
  await addRooms(...small(3))
  await sql`alter table archive.jobs rename to jobs_elsewhere`.execute(archive.db)
  const logged: Record<string, unknown>[] = []
  const events: unknown[] = []
  const log = testLog((line) => logged.push(JSON.parse(line)))
  const slept: number[] = []
  const clock: Clock = {
    ...hastyClock,
    async sleep(durationMs, signal) {
      slept.push(durationMs)
      await hastyClock.sleep(durationMs, signal)
    },
  }
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  const observe = (event: unknown) => events.push(event)
  await expect(workOff({ until: 'stopped' }, { ...context, clock, log, observe })).rejects.toThrow('archive.jobs')
  random.mockRestore()
  const troubles = logged.filter(({ msg }) => msg === 'trouble with the database')
  expect(troubles).toEqual(
    Array.from({ length: 10 }, (_, index) =>
      expect.objectContaining({
        ...{ level: 40, code: '42P01', reason: 'PostgreSQL refused with SQLSTATE 42P01', troubles: index + 1 },
      }),
    ),
  )
  // Longer each time, and a little longer than that.
  expect(slept).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000].map((ms) => ms * 1.25))
  expect(events).toEqual([{ type: 'database_lost' }])
})

test('a database that only reads for a while, as one that is about to be the primary, is waited for', async () => {
  const rooms = await addRooms(...small(3))
  const database = sql.id(new URL(archive.url).pathname.slice(1))
  await sql`alter database ${database} set default_transaction_read_only = on`.execute(archive.db)
  const db = connect({ url: archive.url, max: 1 })
  let pauses = 0
  const clock: Clock = {
    ...hastyClock,
    async sleep(durationMs, signal) {
      if (++pauses === 15) {
        await archive.db.connection().execute(async (session) => {
          // It may have been made since, and only read itself.
          await sql`set default_transaction_read_only = off`.execute(session)
          await sql`alter database ${database} reset default_transaction_read_only`.execute(session)
          await sql`
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`.execute(session)
        })
      }
      await hastyClock.sleep(durationMs, signal)
    },
  }
  const stop = new AbortController()
  const working = workOff({ until: 'stopped', signal: stop.signal }, { ...context, db, clock })
  await vi.waitFor(async () => expect(await jobs('archived')).toHaveLength(rooms.length), { timeout: 30_000 })
  stop.abort()
  expect(await working).toMatchObject({ archived: rooms.length })
  await db.destroy()
})

test('a database out of reach ends the work after a minute, unless it is to go on until it is stopped', async () => {
  const db = connect({ url: 'postgres://nobody@127.0.0.1:1/none' })
  const hasty = { ...context, db, clock: hastyClock }
  const began = hastyClock.now()
  await expect(workOff({ until: 'idle' }, hasty)).rejects.toMatchObject({ code: 'E_DATABASE_UNREACHABLE' })
  expect(hastyClock.now() - began).toBeGreaterThan(59_000)
  const stop = new AbortController()
  const clock: Clock = {
    ...hastyClock,
    async sleep(durationMs, signal) {
      if (hastyClock.now() - began > 10 * 60_000) stop.abort()
      await hastyClock.sleep(durationMs, signal)
    },
  }
  expect(await workOff({ until: 'stopped', signal: stop.signal }, { ...hasty, clock })).toMatchObject({ archived: 0 })
  await db.destroy()
})

test('rooms that could not be given back, because the database was away, are taken up again at once', async () => {
  await addRooms(...small(3))
  let awayFrom = Number.POSITIVE_INFINITY
  const db = archive.db.withPlugin(
    plugin(() => {
      if (hastyClock.now() >= awayFrom && hastyClock.now() < awayFrom + 5000) throw unreachable()
    }),
  )
  const lcic: ArchiveContext['lcic'] = {
    ...context.lcic,
    async describeRoomStatistics(...asked) {
      const answer = await context.lcic.describeRoomStatistics(...asked)
      awayFrom = Math.min(awayFrom, hastyClock.now())
      return answer
    },
  }
  const began = systemClock.now()
  const hasty = { ...context, db, lcic, clock: hastyClock }
  expect(await workOff({ until: 'settled' }, hasty)).toMatchObject({ archived: 3 })
  expect(systemClock.now() - began).toBeLessThan(LEASE_MS / 4)
})

test.each([1, 2, 3])(
  'a mistake in the statement that comes as number %i ends the work, and a lost one does not',
  async (number) => {
    let error: Error
    let statements = 0
    const db = archive.db.withPlugin(
      plugin(() => {
        if (++statements === number) throw error
      }),
    )
    error = new TypeError('a mistake')
    const hasty = { ...context, db, clock: hastyClock }
    await expect(workOff({ until: 'settled' }, hasty)).rejects.toBe(error)
    statements = 0
    error = unreachable()
    expect(await workOff({ until: 'settled' }, hasty)).toMatchObject({ archived: 0 })
    expect(statements).toBeGreaterThan(number)
  },
)

test('once its time is over, nothing is taken, and nothing waited for', async () => {
  await addRooms(...small(2))
  const clock: Clock = { ...hastyClock, now: () => 1000 }
  for (const until of ['nothing_due', 'settled'] as const)
    expect(await workOff({ until, deadline: 1000 }, { ...context, clock })).toMatchObject({ archived: 0, requests: 0 })
  expect(await jobs('pending')).toMatchObject([{ last_attempt_at: null }, { last_attempt_at: null }])
})

test('whoever has nothing to do looks again once something is due, and each second', async () => {
  const now = new Date()
  const firstPause = async () => {
    const stop = new AbortController()
    const slept: number[] = []
    const clock: Clock = {
      ...systemClock,
      async sleep(durationMs) {
        slept.push(durationMs)
        stop.abort()
      },
    }
    await workOff({ until: 'stopped', signal: stop.signal }, { ...context, clock, now: () => now })
    return slept[0]
  }
  expect(await firstPause()).toBe(1000)
  const [roomId = 0n] = await addRooms(2)
  const dueIn = (ms: number) =>
    sql`update archive.jobs set due_at = ${new Date(now.getTime() + ms)}`.execute(archive.db)
  await dueIn(10_000)
  expect(await firstPause()).toBe(1000)
  await dueIn(300)
  expect(await firstPause()).toBe(300)
  await dueIn(0)
  await claimRoom(archive.db, { lease: { roomId, holder: 'another' }, now })
  expect(await firstPause()).toBe(1000)
})

test('it begins with one room, and takes twice as many each time that takes long', async () => {
  await addRooms(...small(12))
  archive.simulator.setFaults(() => ({ kind: 'hang' }))
  const sleeping: (() => void)[] = []
  const clock: Clock = {
    ...systemClock,
    sleep: () => new Promise<void>((resolve) => sleeping.push(resolve)),
  }
  const stop = new AbortController()
  const working = workOff({ signal: stop.signal }, { ...context, clock })
  const requested = (count: number) =>
    vi.waitFor(() => expect(archive.simulator.requests).toHaveLength(count), { timeout: 20_000 })
  for (const inHand of [1, 2, 4]) {
    await requested(inHand)
    await vi.waitFor(() => expect(sleeping).not.toEqual([]), { timeout: 20_000 })
    for (const wake of sleeping.splice(0)) wake()
  }
  await requested(8)
  stop.abort()
  expect(await working).toMatchObject({ archived: 0 })
  await expectNoLease()
})

test('rooms that take long delay no others, even if those beside them were done while they were claimed', async () => {
  const [first, second, third, fourth, ...others] = await addRooms(...small(8))
  const quick = gate()
  const slow = gate()
  const gates = new Map([first, second].map((roomId) => [roomId, quick]))
  for (const roomId of [third, fourth]) gates.set(roomId, slow)
  const lcic: ArchiveContext['lcic'] = {
    ...context.lcic,
    async describeRoomStatistics(roomId, ...rest) {
      await gates.get(roomId)?.opened
      return context.lcic.describeRoomStatistics(roomId, ...rest)
    },
  }
  const archived = new Set<bigint | undefined>()
  // The claim of those that take long has its answer once the two before them are done.
  const db = archive.db.withPlugin({
    ...plugin(() => undefined),
    async transformResult({ result }) {
      if (result.rows.some(({ room_id, woken }) => woken !== undefined && room_id === third)) {
        quick.open()
        await vi.waitFor(() => expect(archived).toContain(second), { timeout: 20_000 })
        await vi.waitFor(() => expect(archived).toContain(first), { timeout: 20_000 })
      }
      return result
    },
  })
  const done = await work(
    { ...context, db, lcic },
    {
      until: 'nothing_due',
      onReport({ roomId }) {
        archived.add(roomId)
        if (others.every((other) => archived.has(other))) slow.open()
      },
    },
  )
  expect(done).toMatchObject({ archived: 8 })
})

test('whoever pulls a large room looks for others that have become due with a page, once a second', async () => {
  const [large] = await addRooms(2500)
  const late = archive.school.addRoom({ members: 2 }).roomId
  const looked = gate()
  const isThere = gate()
  const looks = countLooks((count) => {
    if (count === 2) looked.open()
  })
  let aheadMs = 0
  const clock: Clock = { ...systemClock, now: () => aheadMs }
  const lcic: ArchiveContext['lcic'] = {
    ...context.lcic,
    async describeRoomStatistics(roomId, page, ...rest) {
      const answer = await context.lcic.describeRoomStatistics(roomId, page, ...rest)
      if (roomId === large && page === 1) {
        // It has looked for more than one room, and there was no other.
        await looked.opened
        await hintRooms(archive.db, { hints: [{ roomId: late }], hintedBy: 'sweep', now: databaseTime })
        aheadMs = 2000
      } else if (roomId === large) await isThere.opened
      return answer
    },
  }
  const done = await work(
    { ...context, db: looks.db, clock, lcic },
    {
      until: 'nothing_due',
      onReport({ roomId }) {
        if (roomId === late) isThere.open()
      },
    },
  )
  expect(done).toMatchObject({ archived: 2 })
  // At the beginning, soon, with the first page, and whenever a room was done; not with the other pages.
  expect(looks.count).toBe(5)
})

/** Counts how often is looked for rooms that are due. */
function countLooks(onLook: (count: number) => void = () => undefined) {
  const looks = { count: 0, db: archive.db }
  looks.db = archive.db.withPlugin({
    ...plugin(() => undefined),
    async transformResult({ result }) {
      if (result.rows.some(({ woken }) => woken !== undefined)) onLook(++looks.count)
      return result
    },
  })
  return looks
}

test('until stopped, too, others that become due are taken beside a room that takes long', async () => {
  const [slow] = await addRooms(2)
  archive.simulator.setFaults(({ roomId }) => (roomId === slow ? { kind: 'hang' } : undefined))
  const looks = countLooks()
  const stop = new AbortController()
  const working = workOff({ until: 'stopped', signal: stop.signal }, { ...context, db: looks.db })
  await vi.waitFor(() => expect(looks.count).toBeGreaterThanOrEqual(2), { timeout: 20_000 })
  await addRooms(...small(3))
  await vi.waitFor(async () => expect(await jobs('archived')).toHaveLength(3), { timeout: 20_000 })
  stop.abort()
  expect(await working).toMatchObject({ archived: 3 })
})

test('whoever waits for a room that takes long asks the database no more often than it takes', async () => {
  await addRooms(2)
  archive.simulator.setFaults(() => ({ kind: 'delay', ms: 2600 }))
  const looks = countLooks()
  expect(await workOff({}, { ...context, db: looks.db })).toMatchObject({ archived: 1 })
  // At the beginning, soon, with its page, and once it was done.
  expect(looks.count).toBe(4)
})

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('a database that was out of reach is out of reach anew once it is lost again', async () => {
  const [roomId = 0n] = await addRooms(2)
  // So that there is something to wait for.
  const lease = { roomId, holder: 'another' }
  await claimRoom(archive.db, { lease, now: databaseTime })
  const began = hastyClock.now()
  const isWithin = (from: number, to: number) => {
    const ms = hastyClock.now() - began
    return ms >= from && ms < to
  }
  const db = archive.db.withPlugin(
    plugin(() => {
      if (isWithin(0, 40_000) || isWithin(55_000, 95_000)) throw unreachable()
    }),
  )
  const clock: Clock = {
    ...hastyClock,
    async sleep(durationMs, signal) {
      if (isWithin(110_000, Number.POSITIVE_INFINITY)) await releaseJob(archive.db, { lease, now: databaseTime })
      await hastyClock.sleep(durationMs, signal)
    },
  }
  expect(await workOff({ until: 'settled' }, { ...context, db, clock })).toMatchObject({ archived: 1 })
})
