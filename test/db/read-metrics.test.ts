import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkWritable } from '../../lib/db/check-writable'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { readFreshness, readMetrics } from '../../lib/db/read-metrics'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'

describe.each(postgresVersions)('what monitoring reads, on PostgreSQL %i', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
    const { db } = database
    await sql`
      insert into archive.jobs (room_id, hinted_by, state, due_at, deadline_at, archived_at, not_ready_until)
      values
        (1, 'sweep', 'pending', now() - interval '10 min', now() - interval '1 day', null, null),
        (2, 'sweep', 'pending', now() - interval '20 min', now() + interval '1 day', null, null),
        (3, 'sweep', 'pending', now() + interval '20 min', now() + interval '1 day', null, null),
        (4, 'sweep', 'failed', null, now() - interval '1 day', null, null),
        (5, 'sweep', 'archived', now() - interval '9 h', now() - interval '1 day', '2026-03-02T10:00:00Z', null),
        (6, 'sweep', 'archived', null, now(), '2026-03-02T10:00:00Z', '2026-03-02T09:59:30Z'),
        (7, 'sweep', 'archived', null, now(), '2026-03-03T10:00:00Z', null)`.execute(db)
    await sql`
      insert into archive.rooms (room_id, total, revision, attempt, content_hash, real_end_at, archived_at, changed_at)
      select room_id, 0, 1, 1, '', '2026-03-02T09:58:00Z'::timestamptz, '2026-03-02T10:00:00Z', now()
      from archive.jobs where state = 'archived'`.execute(db)
    await sql`update archive.rooms set real_end_at = null where room_id = 5`.execute(db)
    await sql`
      insert into archive.budgets (budget, next_slot_at, minute, in_minute, in_minute_before)
      values
        ('GetRooms host - a', clock_timestamp() - interval '1 h', date_trunc('minute', clock_timestamp()), 3, 600),
        ('GetRooms host - b', clock_timestamp() + interval '30 s', date_trunc('minute', clock_timestamp()), 9, 50),
        ('DescribeRoom host - a', clock_timestamp(), clock_timestamp() - interval '1 h', 7, 8)`.execute(db)
    await sql`
      insert into archive.sweeps (sdk_app_id, started_at, swept_until)
      values (1400000001, now(), '2026-03-02T10:00:00Z'), (1400000002, now(), null)`.execute(db)
  })
  afterAll(() => database.drop())

  test('is every state of jobs, what is due for longest, deadlines that have passed, budgets by action, and sweeps', async () => {
    const { jobs, budgets, sweeps } = await readMetrics(database.db, { now: databaseTime, mostMs: 5000 })
    expect(Object.fromEntries(jobs.map(({ state, ...rest }) => [state, rest]))).toEqual({
      pending: { jobs: 3, oldestDueMs: expect.closeTo(20 * 60_000, -4), passedDeadline: 1 },
      failed: { jobs: 1, oldestDueMs: null, passedDeadline: 1 },
      archived: { jobs: 3, oldestDueMs: null, passedDeadline: 0 },
    })
    // The minute may be over by now.
    const lastMinutes = budgets.map(({ action, lastMinute }) => [action, lastMinute])
    expect(Object.fromEntries(lastMinutes)).toEqual({
      GetRooms: expect.toSatisfy((n) => n === 650 || n === 12),
      DescribeRoom: 0,
    })
    const backlogs = Object.fromEntries(budgets.map(({ action, backlogMs }) => [action, backlogMs]))
    expect(backlogs).toEqual({ GetRooms: expect.toSatisfy((ms) => ms > 10_000 && ms <= 30_000), DescribeRoom: 0 })
    expect(sweeps).toEqual([
      { sdkAppId: 1400000001n, sweptUntil: new Date('2026-03-02T10:00:00Z') },
      { sdkAppId: 1400000002n, sweptUntil: null },
    ])
  })

  test('is how fresh rooms were that were archived once; nothing of those that were read again', async () => {
    const fresh = await readFreshness(database.db, [1n, 5n, 6n, 7n, 99n])
    expect(fresh).toHaveLength(2)
    expect(fresh).toEqual(
      expect.arrayContaining([
        { sinceEndMs: null, sinceNotReadyMs: null },
        { sinceEndMs: 120_000, sinceNotReadyMs: 30_000 },
      ]),
    )
  })

  test('is given up when the database takes too long, and keeps no connection', async () => {
    const holder = await database.db.startTransaction().execute()
    await sql`lock table archive.jobs`.execute(holder)
    await expect(readMetrics(database.db, { now: databaseTime, mostMs: 20 })).rejects.toMatchObject({ code: '57014' })
    await holder.rollback().execute()
    const { rows } = await sql`show statement_timeout`.execute(database.db)
    expect(rows).toEqual([{ statement_timeout: '0' }])
  })

  test('is whether the database takes writes', async () => {
    await checkWritable(database.db)
    const url = new URL(database.url)
    url.searchParams.set('options', '-c default_transaction_read_only=on')
    const standby = connect({ url: url.toString() })
    await expect(checkWritable(standby)).rejects.toMatchObject({ code: 'E_DATABASE_READ_ONLY' })
    await standby.destroy()
  })
})
