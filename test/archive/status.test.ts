import { type Insertable, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DayStatus, readFailedRooms, readStatus } from '../../lib/db/read-status'
import { reserveSlot } from '../../lib/db/reserve-slot'
import type { JobsTable, KnownRoomsTable } from '../../lib/db/tables'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const now = new Date('2026-03-05T12:00:00Z')
const at = (ms: number) => new Date(now.getTime() + ms)
const [app, otherApp] = [1400000001n, 1400000002n]

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  let database: TestDatabase
  let lastRoomId = 0n
  beforeEach(async () => {
    database = await createTestDatabase(version)
    lastRoomId = 0n
  })
  afterEach(() => database?.drop())

  const status = () => readStatus(database.db, { now })

  /** A room that LCIC listed, or not (`null`), with a job or without. */
  async function put(
    known: Partial<Insertable<KnownRoomsTable>> | null,
    job: Partial<Insertable<JobsTable>> | null,
  ): Promise<bigint> {
    lastRoomId += 1n
    const room_id = lastRoomId
    if (known) {
      const row = { room_id, sdk_app_id: app, status: 2, listed_at: now, changed_at: now, ...known }
      await database.db.insertInto('archive.known_rooms').values(row).execute()
    }
    if (job) {
      const fixed = { created_at: at(-HOUR), updated_at: now, deadline_at: at(100 * DAY), hinted_by: 'sweep' as const }
      await database.db
        .insertInto('archive.jobs')
        .values({ room_id, state: 'pending', ...fixed, ...job })
        .execute()
    }
    return room_id
  }

  const none = { archived: 0, waiting: 0, expired: 0, missing: 0, failed: 0, gap: 0, passedDeadline: 0 }

  test('nothing is nothing', async () => {
    expect(await status()).toEqual({
      readAt: now,
      days: [],
      waiting: [],
      upcoming: 0,
      rereads: 0,
      oldestDueAt: null,
      freshness: { rooms: 0, p50Ms: null, p95Ms: null },
      sweeps: [],
      budgets: [],
    })
  })

  test('each room that ended counts once, on the day (UTC) and for the app it belongs to', async () => {
    const monday = { real_end_at: new Date('2026-03-02T23:59:59Z') }
    const tuesday = { real_end_at: new Date('2026-03-03T00:00:00Z') }
    for (const state of ['archived', 'archived', 'pending', 'missing', 'failed'] as const) await put(monday, { state })
    await put({ ...monday, status: 3 }, { state: 'expired' })
    await put(monday, null)
    await put({ ...monday, status: 3 }, null)
    await put({ ...tuesday, sdk_app_id: otherApp }, { state: 'archived' })
    await put({ ...tuesday, sdk_app_id: otherApp }, { state: 'pending' })
    await put(tuesday, { state: 'archived' })
    const { days } = await status()
    expect(days).toEqual([
      {
        day: '2026-03-02',
        sdkAppId: app,
        ended: 8,
        archived: 2,
        waiting: 1,
        expired: 1,
        missing: 1,
        failed: 1,
        gap: 2,
        passedDeadline: 0,
      },
      { ...none, day: '2026-03-03', sdkAppId: app, ended: 1, archived: 1 },
      { ...none, day: '2026-03-03', sdkAppId: otherApp, ended: 2, archived: 1, waiting: 1 },
    ])
    expectBalanced(days)
  })

  test('whatever LCIC and the job say of a room, it is ended in one way, planned, or in class', async () => {
    let rooms = 0
    for (const known of [0, 1, 2, 3, 9, null]) {
      for (const state of ['pending', 'archived', 'expired', 'missing', 'failed'] as const) {
        for (const deadline_at of [at(DAY), at(-DAY)]) {
          await put({ status: known }, { state, deadline_at })
          rooms++
        }
      }
    }
    const { days, upcoming } = await status()
    expectBalanced(days)
    expect(days.reduce((sum, { ended }) => sum + ended, 0) + upcoming).toBe(rooms)
    // Planned, in class, and of a status that is not documented: those whose deadline is still to come.
    expect(upcoming).toBe(3)
  })

  test('the day is that of the real end, else of the end the hint named, else of the planned one, else of the naming', async () => {
    const [monday, tuesday, wednesday, thursday] = ['02', '03', '04', '05'].map(
      (day) => new Date(`2026-03-${day}T09:00Z`),
    )
    const job = { ended_at: tuesday ?? null, created_at: thursday ?? now }
    await put({ real_end_at: monday ?? null, scheduled_end_at: wednesday ?? null }, job)
    await put({ scheduled_end_at: wednesday ?? null }, job)
    await put({ scheduled_end_at: wednesday ?? null }, { ...job, ended_at: null })
    await put({}, { ...job, ended_at: null })
    expect((await status()).days.map(({ day, ended }) => [day, ended])).toEqual([
      ['2026-03-02', 1],
      ['2026-03-03', 1],
      ['2026-03-04', 1],
      ['2026-03-05', 1],
    ])
  })

  test('rooms that only a callback named count without an app, or under the one it named', async () => {
    await put(null, { hinted_by: 'callback', ended_at: at(-2 * HOUR) })
    await put(null, { hinted_by: 'callback', ended_at: at(-2 * HOUR), state: 'archived' })
    await put(null, { hinted_by: 'callback', ended_at: at(-2 * HOUR), sdk_app_id: otherApp })
    await put({ sdk_app_id: null }, { ended_at: at(-2 * HOUR), sdk_app_id: otherApp, state: 'archived' })
    expect((await status()).days).toEqual([
      { ...none, day: '2026-03-05', sdkAppId: otherApp, ended: 2, archived: 1, waiting: 1 },
      { ...none, day: '2026-03-05', sdkAppId: null, ended: 2, archived: 1, waiting: 1 },
    ])
  })

  test('rooms planned or in class are not ended yet, unless their job says otherwise or their deadline has passed', async () => {
    const planned = { scheduled_end_at: at(HOUR), status: 0 }
    await put(planned, { due_at: at(HOUR) })
    await put({ ...planned, status: 1 }, { due_at: at(-HOUR), reason: 'not_ended' })
    expect(await status()).toMatchObject({ days: [], waiting: [], upcoming: 2 })
    await put(planned, { state: 'archived' })
    await put({ ...planned, status: 1, scheduled_end_at: at(-200 * DAY) }, { deadline_at: at(-1) })
    const { days, upcoming } = await status()
    expect(upcoming).toBe(2)
    expect(days).toMatchObject([
      { ended: 1, waiting: 1, passedDeadline: 1 },
      { ended: 1, archived: 1 },
    ])
  })

  test('a planned room whose job somebody deleted is still planned', async () => {
    await put({ status: 0, scheduled_end_at: at(HOUR) }, null)
    expect(await status()).toMatchObject({ days: [], upcoming: 1 })
  })

  test('a deadline has passed only for those that wait or have failed', async () => {
    const real_end_at = at(-181 * DAY)
    const deadline_at = at(-DAY)
    for (const state of ['pending', 'failed', 'archived', 'expired', 'missing'] as const) {
      await put({ real_end_at }, { state, deadline_at })
    }
    await put({ real_end_at }, { state: 'failed', deadline_at: at(1) })
    const { days } = await status()
    expect(days).toMatchObject([{ ended: 6, passedDeadline: 2 }])
    expectBalanced(days)
  })

  test('waiting rooms come by reason, the most frequent first, with the next try and the nearest deadline', async () => {
    await put({}, { reason: 'not_ready', due_at: at(20 * MINUTE), deadline_at: at(50 * DAY) })
    await put({}, { reason: 'not_ready', due_at: at(5 * MINUTE), deadline_at: at(60 * DAY) })
    await put({}, { reason: 'not_ready', due_at: at(7 * MINUTE), deadline_at: at(70 * DAY) })
    await put({}, { due_at: at(-HOUR), deadline_at: at(80 * DAY) })
    await put({}, { due_at: at(-2 * HOUR), deadline_at: at(90 * DAY) })
    await put(null, { reason: 'gone', due_at: at(DAY), deadline_at: at(10 * DAY) })
    await put({}, { state: 'archived', due_at: at(-DAY), reason: 'shrunk' })
    await put({}, { state: 'failed' })
    expect(await status()).toMatchObject({
      waiting: [
        { reason: 'not_ready', rooms: 3, nextAt: at(5 * MINUTE), nearestDeadlineAt: at(50 * DAY) },
        { reason: null, rooms: 2, nextAt: at(-2 * HOUR), nearestDeadlineAt: at(80 * DAY) },
        { reason: 'gone', rooms: 1, nextAt: at(DAY), nearestDeadlineAt: at(10 * DAY) },
      ],
      oldestDueAt: at(-2 * HOUR),
      rereads: 1,
    })
  })

  test('freshness is from the end of a class until it was archived, of the rooms archived within a day', async () => {
    const archived = async (endedMs: number | null, tookMs: number, archivedAt = at(-HOUR)) => {
      lastRoomId += 1n
      await sql`
        insert into archive.rooms (room_id, total, extra, revision, attempt, content_hash, archived_at, changed_at, real_end_at)
        values (${lastRoomId}, 0, '{}', 1, 1, '', ${archivedAt}, ${archivedAt},
          ${endedMs === null ? null : new Date(archivedAt.getTime() - tookMs)})`.execute(database.db)
    }
    for (const minutes of [1, 2, 3, 4, 5]) await archived(0, minutes * MINUTE)
    await archived(0, 500 * MINUTE, at(-DAY - 1))
    await archived(null, 0)
    const { freshness } = await status()
    expect(freshness).toEqual({ rooms: 5, p50Ms: 3 * MINUTE, p95Ms: 4.8 * MINUTE })
  })

  test('sweeps are told by app, with how far they have come and why the last one failed', async () => {
    const sweeps = [
      { sdk_app_id: otherApp, started_at: at(-1), error_message: 'it broke' },
      { sdk_app_id: app, swept_from: at(-9), swept_until: at(-2), started_at: at(-2), finished_at: at(-1), rooms: 3 },
    ]
    for (const row of sweeps) await database.db.insertInto('archive.sweeps').values(row).execute()
    expect((await status()).sweeps).toEqual([
      {
        sdkAppId: app,
        sweptFrom: at(-9),
        sweptUntil: at(-2),
        startedAt: at(-2),
        finishedAt: at(-1),
        rooms: 3,
        errorMessage: null,
      },
      {
        sdkAppId: otherApp,
        sweptFrom: null,
        sweptUntil: null,
        startedAt: at(-1),
        finishedAt: null,
        rooms: null,
        errorMessage: 'it broke',
      },
    ])
  })

  test('slots count in the minute they are for, and the status tells those of the last full one', async () => {
    const { db } = database
    const budget = 'GetRooms test'
    // From two seconds before a minute's end: two slots are of that minute, five of the next.
    await sql`
      insert into archive.budgets (budget, next_slot_at, minute, in_minute)
      values (${budget}, date_trunc('minute', clock_timestamp()) + interval '10 minutes 58 seconds', null, 0)`.execute(
      db,
    )
    const slots: number[] = []
    for (let count = 0; count < 7; count++) {
      const slot = await reserveSlot(db, { budget, spacingMs: 1000, mostMs: HOUR })
      slots.push(Math.round(((slot?.slotAt ?? 0) % MINUTE) / 1000))
    }
    expect(slots).toEqual([58, 59, 0, 1, 2, 3, 4])
    expect(await reserveSlot(db, { budget, spacingMs: 1000, mostMs: 0 })).toBeUndefined()
    const row = await db.selectFrom('archive.budgets').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ in_minute: 5, in_minute_before: 2 })
    expect((await status()).budgets).toMatchObject([{ budget, lastMinute: 0 }])

    /** As if the newest slot had been for so many minutes ago. */
    const lastMinuteOf = async (minutesAgo: number) => {
      await sql`
        update archive.budgets set
          minute = date_trunc('minute', clock_timestamp()) - make_interval(mins => ${minutesAgo}::int)`.execute(db)
      return (await status()).budgets[0]?.lastMinute
    }
    // Polled, because a minute may end in between.
    await expect.poll(() => lastMinuteOf(0)).toBe(2)
    await expect.poll(() => lastMinuteOf(1)).toBe(5)
    await expect.poll(() => lastMinuteOf(2)).toBe(0)

    await sql`update archive.budgets set next_slot_at = clock_timestamp() - interval '1 hour'`.execute(db)
    expect((await status()).budgets).toMatchObject([{ backlogMs: 0 }])
    await sql`update archive.budgets set next_slot_at = clock_timestamp() + interval '1 hour'`.execute(db)
    const backlogMs = (await status()).budgets[0]?.backlogMs ?? 0
    expect(backlogMs).toBeGreaterThan(HOUR - MINUTE)
    expect(backlogMs).toBeLessThanOrEqual(HOUR)
    // A minute with no slot in between: in the one before, none was.
    await sql`
      update archive.budgets set minute = date_trunc('minute', clock_timestamp()) + interval '10 minutes', in_minute = 5,
        next_slot_at = date_trunc('minute', clock_timestamp()) + interval '12 minutes'`.execute(db)
    await reserveSlot(db, { budget, spacingMs: 1000, mostMs: HOUR })
    const later = await db.selectFrom('archive.budgets').selectAll().executeTakeFirstOrThrow()
    expect(later).toMatchObject({ in_minute: 1, in_minute_before: 0 })
  })

  test('failed and missing rooms are listed with why, those whose data are deleted first at the top', async () => {
    const error = { attempts: 4, last_error_code: 'X', last_error_message: 'why', last_request_id: 'r-1' }
    const later = await put({}, { state: 'failed', deadline_at: at(2 * DAY), ended_at: at(-DAY), ...error })
    const sooner = await put(null, { state: 'missing', deadline_at: at(DAY) })
    for (const state of ['pending', 'archived', 'expired'] as const) await put({}, { state })
    const failed = await readFailedRooms(database.db, { limit: 10 })
    expect(failed).toEqual([
      expect.objectContaining({ roomId: sooner, state: 'missing', endedAt: null, attempts: 0, errorCode: null }),
      {
        roomId: later,
        state: 'failed',
        endedAt: at(-DAY),
        deadlineAt: at(2 * DAY),
        attempts: 4,
        errorCode: 'X',
        message: 'why',
        requestId: 'r-1',
      },
    ])
    expect(await readFailedRooms(database.db, { limit: 1 })).toHaveLength(1)
  })
})

/** On each day, what ended is what became of it. */
function expectBalanced(days: readonly DayStatus[]): void {
  for (const { ended, archived, waiting, expired, missing, failed, gap } of days) {
    expect(archived + waiting + expired + missing + failed + gap).toBe(ended)
  }
}
