import { type AddressInfo, createServer } from 'node:net'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCallbackInbox, InboxFullError } from '../../lib/archive/callback-inbox'
import { type CallbackReceiver, createCallbackReceiver } from '../../lib/archive/receive-callback'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { reserveInvocation } from '../../lib/db/reserve-invocation'
import { signCallback } from '../../lib/lcic/callback'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { testLog } from '../support/log-directory'
import { beginning, DAY, HOUR, MINUTE, openTimeline, type Timeline } from '../support/timeline'

const config = { key: 'key of these tests', acceptUnsigned: false, sdkAppIds: [] }

function callbackOf(roomId: bigint, { at = Date.now(), event = 'RoomEnd' } = {}): { method: string; body: string } {
  const ExpireTime = Math.floor(at / 1000) + 300
  const Sign = signCallback(config.key, ExpireTime)
  const fields = JSON.stringify({ EventType: event, SdkAppId: 1400000001, ExpireTime, Sign })
  return { method: 'POST', body: `${fields.slice(0, -1)},"EventData":{"RoomId":${roomId}}}` }
}

interface Logged {
  readonly msg: string
  readonly code?: string
  readonly untold?: number
}

describe.each(postgresVersions)('callbacks, on PostgreSQL %i', (version) => {
  let database: TestDatabase
  let clock: { time: number; now(): number }
  let receive: CallbackReceiver
  let logged: Logged[]
  const log = testLog((line) => logged.push(JSON.parse(line)))
  beforeAll(async () => {
    database = await createTestDatabase(version)
  })
  afterAll(() => database.drop())
  beforeEach(() => {
    logged = []
    clock = { time: Date.now(), now: () => clock.time }
    receive = createCallbackReceiver({ config, db: database.db, now: () => databaseTime, clock })
  })
  afterEach(async () => {
    await sql`drop trigger if exists disturbance on archive.jobs`.execute(database.db)
    await sql`truncate archive.callbacks, archive.jobs`.execute(database.db)
  })

  const call = (roomId: bigint, options?: Parameters<typeof callbackOf>[1]) => receive(callbackOf(roomId, options), log)

  async function stored(): Promise<{ callbacks: bigint[]; jobs: bigint[] }> {
    const callbacks = await database.db.selectFrom('archive.jobs').select('room_id').orderBy('room_id').execute()
    const { rows } = await sql<{ room_id: bigint }>`select room_id from archive.callbacks order by 1`.execute(
      database.db,
    )
    return { callbacks: rows.map(({ room_id }) => room_id), jobs: callbacks.map(({ room_id }) => room_id) }
  }

  /** Has the database do something whenever a job is hinted at, within the transaction that stores the callback. */
  async function disturb(action: string): Promise<void> {
    await sql`
      create or replace function disturb() returns trigger language plpgsql as ${sql.lit(`begin ${action} return new; end`)}`.execute(
      database.db,
    )
    await sql`create trigger disturbance before insert on archive.jobs for each row execute function disturb()`.execute(
      database.db,
    )
  }

  test('one is stored as it came, and its room is due, before it is answered', async () => {
    const callback = callbackOf(2n ** 63n - 1n)
    expect(await receive(callback, log)).toEqual({
      status: 200,
      body: { error_code: 0 },
      isDue: true,
      outcome: 'accepted',
    })
    expect(logged).toMatchObject([{ level: 30, msg: 'callback', roomId: String(2n ** 63n - 1n), isDue: true }])
    const { rows } = await sql`select event_type, room_id, body::text from archive.callbacks`.execute(database.db)
    expect(rows).toEqual([{ event_type: 'RoomEnd', room_id: 2n ** 63n - 1n, body: callback.body }])
    const jobs = await sql`
      select room_id, state, hinted_by, sdk_app_id, due_at <= now() as is_due from archive.jobs`.execute(database.db)
    expect(jobs.rows).toEqual([
      { room_id: 2n ** 63n - 1n, state: 'pending', hinted_by: 'callback', sdk_app_id: 1400000001n, is_due: true },
    ])
    await sql`update archive.jobs set due_at = null, state = 'archived'`.execute(database.db)
    expect(await receive(callback, log)).toMatchObject({ status: 200, isDue: false, outcome: 'accepted' })
    expect(logged[1]).toMatchObject({ level: 20, msg: 'callback', isDue: false })
  })

  test('other events are accepted and leave nothing; what is not sent by POST is refused', async () => {
    expect(await call(1n, { event: 'MemberJoin' })).toMatchObject({ status: 200, isDue: false, outcome: 'ignored' })
    expect(logged).toMatchObject([{ level: 20, msg: 'callback ignored', eventType: 'MemberJoin' }])
    expect(await receive({ ...callbackOf(1n), method: 'GET' }, log)).toEqual({
      status: 405,
      body: { error_code: 405, error: 'Callbacks are sent by POST.' },
      isDue: false,
      outcome: 'refused',
      code: 'E_CALLBACK_METHOD',
    })
    expect(await stored()).toEqual({ callbacks: [], jobs: [] })
  })

  test('of a process that is killed between storing it and making its room due nothing is left, and it is called again', async () => {
    await disturb('perform pg_terminate_backend(pg_backend_pid());')
    expect(await call(1n)).toMatchObject({ status: 503, body: { error_code: 503 }, code: 'E_CALLBACK_NOT_STORED' })
    expect(logged).toMatchObject([{ level: 40, msg: 'callback refused', untold: 0 }])
    expect(logged[0]).not.toHaveProperty('err')
    expect(await stored()).toEqual({ callbacks: [], jobs: [] })
    await sql`drop trigger disturbance on archive.jobs`.execute(database.db)
    expect(await call(1n)).toMatchObject({ status: 200 })
    expect(await stored()).toEqual({ callbacks: [1n], jobs: [1n] })
  })

  test('a connection that is lost is made anew once', async () => {
    await sql`create sequence kills`.execute(database.db)
    await disturb("if nextval('kills') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if;")
    expect(await call(1n)).toMatchObject({ status: 200, isDue: true })
    expect(await stored()).toEqual({ callbacks: [1n], jobs: [1n] })
    await sql`drop sequence kills`.execute(database.db)
  })

  test('those that come together are stored together', async () => {
    const answers = await Promise.all(Array.from({ length: 1500 }, (_, index) => call(BigInt(index % 100) + 1n)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    const { rows } = await sql<{ rooms: number; transactions: number; callbacks: number }>`
      select count(distinct room_id)::int as rooms, count(distinct xmin::text)::int as transactions,
        count(*)::int as callbacks
      from archive.callbacks`.execute(database.db)
    expect(rows).toEqual([{ rooms: 100, transactions: 3, callbacks: 1500 }])
    expect((await stored()).jobs).toHaveLength(100)
  })

  const MiB = 1024 * 1024
  const inboxOf = (db = database.db) => {
    const inbox = createCallbackInbox({ db, now: () => databaseTime })
    return (bytes: number, roomId = 1n) => {
      const body = JSON.stringify('x'.repeat(bytes - 2))
      return inbox.receive({ roomId, sdkAppId: null, eventType: 'RoomEnd', body })
    }
  }

  /** How many callbacks each transaction has stored. */
  async function batches(): Promise<number[]> {
    const { rows } = await sql<{ callbacks: number }>`
      select count(*)::int as callbacks from archive.callbacks
      group by xmin::text order by min(callback_id)`.execute(database.db)
    return rows.map(({ callbacks }) => callbacks)
  }

  test('a thousand are stored at once, or a MiB of them, and one that is larger by itself', async () => {
    const first = inboxOf()
    // The first has nobody to go along with.
    await Promise.all([9, MiB / 2, MiB / 2, MiB / 2, MiB + 1, 9].map((bytes) => first(bytes)))
    expect(await batches()).toEqual([1, 2, 1, 1, 1])
    await sql`truncate archive.callbacks`.execute(database.db)
    const second = inboxOf()
    await Promise.all(Array.from({ length: 1002 }, () => second(9)))
    expect(await batches()).toEqual([1, 1000, 1])
  })

  test('no more than 32 MiB wait to be stored, and what is stored makes place', async () => {
    const receiveOf = inboxOf()
    const waiting = Array.from({ length: 8 }, () => receiveOf(4 * MiB))
    await expect(receiveOf(9)).rejects.toThrow(InboxFullError)
    await Promise.all(waiting)
    const again = Array.from({ length: 8 }, () => receiveOf(4 * MiB))
    await expect(receiveOf(9)).rejects.toThrow(InboxFullError)
    expect(await Promise.all(again)).toHaveLength(8)
  })

  test('what the database refuses is not sent again, and a locked job is waited for by one statement', async () => {
    let statements = 0
    const db = database.db.withPlugin({
      transformQuery({ node }) {
        statements++
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const receiveOf = inboxOf(db)
    await receiveOf(9)
    const ofOne = statements
    await disturb("raise exception 'no' using errcode = '22023';")
    statements = 0
    await expect(receiveOf(9, 2n)).rejects.toMatchObject({ code: '22023' })
    expect(statements).toBeLessThanOrEqual(ofOne)
    await sql`drop trigger disturbance on archive.jobs`.execute(database.db)
    const holder = await database.db.startTransaction().execute()
    await sql`select from archive.jobs where room_id = 1 for update`.execute(holder)
    statements = 0
    const held = receiveOf(9)
    const waits = sql`select from pg_locks where locktype = 'transactionid' and not granted`
    while ((await waits.execute(database.db)).rows.length === 0) await new Promise(setImmediate)
    const asked = statements
    await holder.commit().execute()
    await held
    expect(asked).toBeLessThanOrEqual(ofOne + 1)
  })

  test('one that the database refuses takes no other along', async () => {
    await disturb("if new.room_id = 7 then raise exception 'no' using errcode = '22023'; end if;")
    const answers = await Promise.all([5n, 6n, 7n, 8n].map((roomId) => call(roomId)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503, 200])
    const refusal = logged.find(({ msg }) => msg === 'callback refused')
    expect(refusal).toMatchObject({ level: 40, code: '22023' })
    expect(refusal).not.toHaveProperty('err')
    expect(await stored()).toEqual({ callbacks: [5n, 6n, 8n], jobs: [5n, 6n, 8n] })
  })

  test('a room whose job is locked holds up the callbacks of no other room', async () => {
    await call(1n)
    const holder = await database.db.startTransaction().execute()
    await sql`select from archive.jobs where room_id = 1 for update`.execute(holder)
    const order: string[] = []
    const note = (name: string) => () => order.push(name)
    const held = [call(1n).then(note('locked')), call(1n).then(note('locked'))]
    await Promise.all([call(2n), call(3n), call(2n)]).then(note('others'))
    await call(4n).then(note('later'))
    await holder.commit().execute()
    await Promise.all(held)
    expect(order).toEqual(['others', 'later', 'locked', 'locked'])
    expect(await stored()).toEqual({ callbacks: [1n, 1n, 1n, 2n, 2n, 3n, 4n], jobs: [1n, 2n, 3n, 4n] })
  })

  test('nor do those of other rooms wait when one of them is refused', async () => {
    await call(1n)
    await disturb("if new.room_id = 7 then raise exception 'no' using errcode = '22023'; end if;")
    const holder = await database.db.startTransaction().execute()
    await sql`select from archive.jobs where room_id = 1 for update`.execute(holder)
    const opening = call(9n)
    const [first, refused, other, last] = [call(1n), call(7n), call(8n), call(1n)]
    const answers = await Promise.all([opening, refused, other])
    expect(answers.map(({ status }) => status)).toEqual([200, 503, 200])
    await holder.commit().execute()
    expect(await Promise.all([first, last])).toMatchObject([{ status: 200 }, { status: 200 }])
  })

  test('once all are stored, the database is asked for nothing more', async () => {
    let asked = 0
    const now = () => {
      asked++
      return databaseTime
    }
    const inbox = createCallbackInbox({ db: database.db, now })
    await inbox.receive({ roomId: 1n, sdkAppId: null, eventType: 'RoomEnd', body: '{}' })
    const storedAt = performance.now()
    // Long enough for several batches more.
    while (performance.now() - storedAt < 100) await sql`select`.execute(database.db)
    expect(asked).toBe(1)
  })

  test('more than the database keeps up with are refused at once; those that wait are stored', async () => {
    const holder = await database.db.startTransaction().execute()
    await sql`lock table archive.callbacks`.execute(holder)
    const waiting = Array.from({ length: 5000 }, () => call(1n))
    expect(await call(2n)).toEqual({
      status: 503,
      body: { error_code: 503, error: 'There are too many at once; call again.' },
      isDue: false,
      outcome: 'refused',
      code: 'E_CALLBACK_INBOX',
    })
    const reason = 'The database does not keep up with callbacks.'
    expect(logged).toMatchObject([{ level: 40, code: 'E_CALLBACK_INBOX', reason }])
    await holder.commit().execute()
    const answers = await Promise.all(waiting)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(await call(2n)).toMatchObject({ status: 200 })
    expect((await stored()).callbacks).toHaveLength(5001)
  })

  test('while the database is out of reach, callers are told to call again', async () => {
    const nowhere = connect({ url: 'postgres://nobody@127.0.0.1:1/none' })
    const receiveNowhere = createCallbackReceiver({ config, db: nowhere, now: () => databaseTime, clock })
    expect(await receiveNowhere(callbackOf(1n), log)).toEqual({
      status: 503,
      body: { error_code: 503, error: 'It cannot be stored now; call again.' },
      isDue: false,
      outcome: 'refused',
      code: 'E_CALLBACK_NOT_STORED',
    })
    expect(logged).toMatchObject([{ msg: 'callback refused', code: 'ECONNREFUSED' }])
    await nowhere.destroy()
  })

  test('a mistake of this program is told with its place', async () => {
    const mistaken = () => {
      throw new TypeError('a defect')
    }
    const receiveMistaken = createCallbackReceiver({ config, db: database.db, now: mistaken, clock })
    expect(await receiveMistaken(callbackOf(1n), log)).toMatchObject({ status: 503, code: 'E_CALLBACK_NOT_STORED' })
    const stack = expect.stringContaining('callbacks.test.ts')
    expect(logged).toMatchObject([
      { level: 50, msg: 'callback refused', code: 'E_UNEXPECTED', reason: 'a defect', untold: 0, err: { stack } },
    ])
  })

  test('a database that hangs up before it answers is out of reach, and no mistake of this program', async () => {
    const rude = createServer((socket) => socket.once('data', () => socket.end()))
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve))
    const { port } = rude.address() as AddressInfo
    const cutOff = connect({ url: `postgres://nobody@127.0.0.1:${port}/none` })
    const receiveCutOff = createCallbackReceiver({ config, db: cutOff, now: () => databaseTime, clock })
    expect(await receiveCutOff(callbackOf(1n), log)).toMatchObject({ status: 503, code: 'E_CALLBACK_NOT_STORED' })
    expect(logged).toMatchObject([{ msg: 'callback refused', code: 'E_DATABASE_UNREACHABLE' }])
    await cutOff.destroy()
    rude.close()
  })

  test('refusals for one reason are told once in ten seconds, with how many were not', async () => {
    const forged = { method: 'POST', body: callbackOf(1n).body.replace(/"Sign":"./, '"Sign":"x') }
    const refused = (status: number, code: string, error: string) => ({
      ...{ status, body: { error_code: status, error }, isDue: false, outcome: 'refused', code },
    })
    for (let second = 0; second < 25; second++) {
      const wrong = 'The signature of the callback is wrong.'
      expect(await receive(forged, log)).toEqual(refused(401, 'E_CALLBACK_SIGNATURE', wrong))
      const unreadable = 'The callback cannot be read: it is not JSON.'
      const malformed = { method: 'POST', body: '{' }
      expect(await receive(malformed, log)).toEqual(refused(400, 'E_CALLBACK_MALFORMED', unreadable))
      clock.time += 1000
    }
    const told = logged.filter(({ msg }) => msg === 'callback refused')
    expect(told[0]).toMatchObject({ level: 40, reason: 'The signature of the callback is wrong.' })
    expect(told.map(({ code, untold }) => [code, untold])).toEqual([
      ['E_CALLBACK_SIGNATURE', 0],
      ['E_CALLBACK_MALFORMED', 0],
      ['E_CALLBACK_SIGNATURE', 9],
      ['E_CALLBACK_MALFORMED', 9],
      ['E_CALLBACK_SIGNATURE', 9],
      ['E_CALLBACK_MALFORMED', 9],
    ])
    // The clock may be set back; nobody waits for it to come by again.
    clock.time -= HOUR
    await receive(forged, log)
    expect(logged.at(-1)).toMatchObject({ code: 'E_CALLBACK_SIGNATURE', untold: 4 })
    expect(await stored()).toEqual({ callbacks: [], jobs: [] })
  })

  describe('starting a function', () => {
    const functionName = 'archive-rooms'
    const reserve = (busyMs = 78) => reserveInvocation(database.db, { functionName, spacingMs: 60_000, busyMs })
    afterEach(async () => {
      await sql`truncate archive.invocations, archive.budgets`.execute(database.db)
    })

    async function setNext(interval: string): Promise<void> {
      await sql`update archive.invocations set next_at = clock_timestamp() + ${interval}::interval`.execute(database.db)
    }

    test('is allowed once in so long, to one of all who ask', async () => {
      const first = await Promise.all(Array.from({ length: 20 }, () => reserve()))
      expect(first.filter(Boolean)).toHaveLength(1)
      await setNext('50 s')
      expect(await reserve()).toBe(false)
      await setNext('0 s')
      const second = await Promise.all(Array.from({ length: 20 }, () => reserve()))
      expect(second.filter(Boolean)).toHaveLength(1)
      // Another one is another matter.
      const other = { functionName: 'archive-rooms-b', spacingMs: 60_000, busyMs: 78 }
      expect(await reserveInvocation(database.db, other)).toBe(true)
    })

    test('is not allowed while requests for statistics are reserved ahead: workers are at it', async () => {
      const reserved = (budget: string, interval: string) =>
        sql`insert into archive.budgets (budget, next_slot_at) values (${budget}, clock_timestamp() + ${interval}::interval)
          on conflict (budget) do update set next_slot_at = excluded.next_slot_at`.execute(database.db)
      await reserved('GetRooms lcic.tencentcloudapi.com - a', '10 s')
      await reserved('DescribeRoomStatistics lcic.tencentcloudapi.com - a', '5 s')
      expect(await reserve()).toBe(false)
      await reserved('DescribeRoomStatistics lcic.tencentcloudapi.com - a', '0.05 s')
      expect(await reserve()).toBe(true)
    })

    test('is allowed after the server’s clock was set back', async () => {
      await reserve()
      await setNext('1 hour')
      expect(await reserve()).toBe(true)
    })
  })
})

describe('a flood of one and the same callback', () => {
  let timeline: Timeline
  beforeEach(async () => {
    timeline = await openTimeline({ sweepEveryMs: 0, log: testLog() })
  })
  afterEach(() => timeline.close())

  /** Calls back every three seconds, and has what is due worked off. */
  async function flood(roomId: bigint, durationMs: number): Promise<void> {
    const { context, clock } = timeline
    const receive = createCallbackReceiver({ config, db: timeline.db, now: context.now, clock })
    const replayed = callbackOf(roomId, { at: clock.now() })
    for (const end = clock.now() + durationMs; clock.now() < end; ) {
      expect((await receive(replayed, context.log)).status).toBe(200)
      await timeline.runUntil(clock.now() + 3000)
    }
  }

  test('causes no request for a room that is archived', async () => {
    const { roomId } = timeline.addClass({ endAt: beginning - HOUR, callback: false })
    await flood(roomId, 2 * MINUTE)
    expect(timeline.asked(roomId)).toHaveLength(1)
  })

  test('causes one request a minute for a room that is not there, which is asked for in ten minutes otherwise', async () => {
    const { roomId } = timeline.school.addRoom({ fate: 'missing' })
    await flood(roomId, 2 * MINUTE + 1000)
    const asked = timeline.asked(roomId)
    expect(asked).toHaveLength(3)
    // From when a room is taken until it is asked for, a new process takes a moment.
    for (const [index, at] of asked.slice(1).entries()) expect(at - (asked[index] ?? 0)).toBeGreaterThan(MINUTE - 1000)
  })

  test('causes at most one request a minute for a room that is not ready for long, besides its regular ones', async () => {
    const { roomId } = timeline.addClass({ endAt: beginning - HOUR, readyAfterMs: DAY, callback: false })
    await flood(roomId, 2 * MINUTE + 1000)
    // At once, after 5 s and 20 s; then each minute, as hints may have it.
    expect(timeline.asked(roomId).length).toBeLessThanOrEqual(3 + 2)
  })
})
