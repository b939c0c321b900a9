import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { recordRooms } from '../../lib/db/known-rooms'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { expectTruth } from '../support/truth'

const largest = 2n ** 63n - 1n

let cli: CommandLine
let archive: TestArchive
beforeAll(async () => {
  cli = await installCommandLine()
})
afterAll(() => cli?.remove())
beforeEach(async () => {
  archive = await openTestArchive()
})
afterEach(() => archive?.close())

function environment(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { endpoint, credentials } = archive.simulator
  return {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: endpoint,
    LCIC_REQUESTS_PER_SECOND: '1000',
    LCIC_SDK_APP_IDS: String(archive.school.sdkAppId),
    LOG_LEVEL: 'fatal',
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    ...changes,
  }
}

const run = (args: readonly string[], changes?: Readonly<Record<string, string>>) =>
  cli.run(args, { env: environment(changes) })

/** With times, durations and what else differs from run to run replaced, in the same width where columns need it. */
function steady(text: string): string {
  return (
    text
      .replaceAll(/\d{4}-\d\d-\d\d/g, '2026-01-01')
      .replaceAll(/\d\d:\d\d(?::\d\d(\.\d+)?)?(Z| UTC)/g, '00:00$2')
      .replaceAll(/\d+\.\d (s|min|h)\b/g, '0.0 $1')
      // Only if a minute has just passed.
      .replaceAll(/^\w+ at 127.*requests? in the last full minute.*\n/gm, '')
      .replaceAll(/RequestId [0-9a-f-]{36}/g, 'RequestId …')
  )
}

const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/)
const statisticsRequests = () =>
  archive.simulator.requests.filter(({ action }) => action === 'DescribeRoomStatistics').length

/** Rows by table, of those that tell of rooms. */
async function rowCounts() {
  const { rows } = await sql<Record<string, number>>`
    select (select count(*) from archive.jobs)::int as jobs, (select count(*) from archive.known_rooms)::int as known_rooms,
      (select count(*) from archive.rooms)::int as rooms, (select count(*) from archive.runs)::int as runs,
      (select count(*) from archive.raw_pages)::int as raw_pages, (select count(*) from archive.sweeps)::int as sweeps`.execute(
    archive.db,
  )
  return rows[0]
}

/** As if the room had failed for long enough to be given up. */
async function giveUp(roomId: bigint): Promise<void> {
  const message = `Room ${roomId}: LCIC gave no usable answer (InternalError: It broke).`
  await sql`
    update archive.jobs set state = 'failed', due_at = null, attempts = 12, last_error_code = 'InternalError',
      last_error_message = ${message}, last_request_id = '00000000-0000-4000-8000-000000000000'
    where room_id = ${roomId}`.execute(archive.db)
}

describe('sweep', () => {
  test('says of each app what it found, and ends with 0', async () => {
    const { school } = archive
    for (let count = 0; count < 3; count++) school.addRoom()
    school.addRoom({ fate: 'expired' })
    school.addRoom({ realEndAt: null })
    school.addRoom({ sdkAppId: 1400000002 })
    const { exitCode, stdout, stderr } = await run(['sweep'], { LCIC_SDK_APP_IDS: '1400000001,1400000002' })
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "        app    from                    to                      rooms    ended    new jobs    requests 
      ──────────────────────────────────────────────────────────────────────────────────────────────────────
       1400000001    2026-01-01T00:00Z    2026-01-01T00:00Z        5        4           5           1 
       1400000002    2026-01-01T00:00Z    2026-01-01T00:00Z        1        1           1           1 
      "
    `)
    expect(await rowCounts()).toMatchObject({ jobs: 6, known_rooms: 6, sweeps: 2, rooms: 0 })
    expect(statisticsRequests()).toBe(0)
  })

  test('with --json stdout is one document; then it asks who taught what is archived', async () => {
    const room = archive.school.addRoom({ roomId: largest })
    await archive.archive(room.roomId)
    const { exitCode, stdout } = await run(['sweep', '--from', '36h', '--json'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      apps: [{ sdk_app_id: 1400000001, from: isoTime, to: isoTime, rooms: 1, ended: 1, new_jobs: 0, requests: 1 }],
      described: 1,
    })
    const [{ from, to } = { from: '', to: '' }] = JSON.parse(stdout).apps
    expect(Date.parse(to) - Date.parse(from)).toBeGreaterThanOrEqual(36 * 3_600_000)
    const rooms = archive.db.selectFrom('archive.rooms').select('teacher_id')
    expect(await rooms.execute()).toEqual([{ teacher_id: 'teacher-001' }])
  })

  test('an app that cannot be swept whole is named with why, and ends with 1', async () => {
    for (let count = 0; count < 3; count++) archive.school.addRoom()
    archive.simulator.setFaults(() => ({ kind: 'duplicate' }))
    const { exitCode, stdout } = await run(['sweep'])
    expect(exitCode).toBe(1)
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "        app    from                    to                      rooms    ended    new jobs    requests 
      ──────────────────────────────────────────────────────────────────────────────────────────────────────
       1400000001    2026-01-01T00:00Z    2026-01-01T00:00Z        2        2           2           4 
      App 1400000001 was not swept whole: The list of rooms of app 1400000001 is not whole: from 2026-01-01T00:00Z to 2026-01-01T00:00Z it counts 3 rooms and lists 2.
      "
    `)
  })

  test('an app that LCIC refuses to list is named with the mend, ends with 2, and keeps no other from being swept', async () => {
    for (let count = 0; count < 3; count++) archive.school.addRoom()
    let asked = 0
    archive.simulator.setFaults(() =>
      asked++ === 0 ? { kind: 'error', code: 'InvalidParameter.SdkAppId' } : undefined,
    )
    const { exitCode, stdout } = await run(['sweep'], { LCIC_SDK_APP_IDS: '1499999999,1400000001' })
    expect(exitCode).toBe(2)
    expect(stdout).toMatch(
      /App 1499999999 was not swept whole: .* \(InvalidParameter\.SdkAppId\)\. Check LCIC_SDK_APP_IDS\.\n/,
    )
    expect(await rowCounts()).toMatchObject({ jobs: 3, known_rooms: 3, sweeps: 2 })
  })

  test('LCIC out of reach ends sweep, backfill and run --until-idle with 3', async () => {
    await hintRooms(archive.db, { hints: [{ roomId: 312345678n }], hintedBy: 'command', now: databaseTime })
    const told = [
      ['sweep', /App 1400000001 was not swept whole: LCIC could not be reached/],
      ['backfill --from 1d', /App 1400000001 was not swept whole: LCIC could not be reached/],
      [
        'backfill --from 1d --plan',
        /LCIC could not be reached \(connect ECONNREFUSED .*\); check LCIC_ENDPOINT and the network\. \[E_NETWORK\]/,
      ],
      [
        'run --until-idle',
        /0 rooms archived, 1 not yet; .*\n {2}Room 312345678: LCIC gave no usable answer \(E_NETWORK: /,
      ],
    ] as const
    // The room is in the hand of `run` by the time that backfill gives up listing.
    const nowhere = { LCIC_ENDPOINT: 'http://127.0.0.1:1' }
    const ended = await Promise.all(told.map(([command]) => run(command.split(' '), nowhere)))
    for (const [index, { exitCode, stdout, stderr }] of ended.entries()) {
      const [command, text] = told[index] ?? []
      expect(`${stdout}${stderr}`).toMatch(text ?? '')
      expect({ command, exitCode }).toEqual({ command, exitCode: 3 })
    }
  })

  test.each([
    [
      'no apps',
      ['sweep'],
      { LCIC_SDK_APP_IDS: '' },
      /LCIC_SDK_APP_IDS: is not set; it names the apps to sweep, for example 14/,
    ],
    ['no apps to backfill', ['backfill', '--from', '7d'], { LCIC_SDK_APP_IDS: '' }, /LCIC_SDK_APP_IDS/],
    ['apps that are none', ['sweep'], { LCIC_SDK_APP_IDS: 'school' }, /LCIC_SDK_APP_IDS.*: must be app ids/],
    ['a time that is none', ['sweep', '--from', 'yesterday'], {}, /Give a time such as 2026-03-01, .* or 36h or 7d/],
    ['a day that is none', ['sweep', '--from', '2026-13-01'], {}, /Give a time such as/],
    ['an end before the beginning', ['sweep', '--from', '1d', '--to', '2d'], {}, /--from 20.* is not before --to 20/],
    ['a backfill from nowhere', ['backfill'], {}, /--from <time>' not specified/],
    ['no credentials', ['sweep'], { TENCENTCLOUD_SECRET_ID: '' }, /TENCENTCLOUD_SECRET_ID/],
    [
      'refused credentials',
      ['sweep'],
      { TENCENTCLOUD_SECRET_KEY: 'x' },
      /Check TENCENTCLOUD_SECRET_ID and .*\[AuthFailure\./,
    ],
  ])('%s: told so, and ends with 2', async (_, args, changes, told) => {
    const { exitCode, stdout, stderr } = await run(args, changes)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(told)
    expect(stderr).not.toContain('    at ')
    expect(await rowCounts()).toMatchObject({ jobs: 0, known_rooms: 0 })
  })

  test('--to without --from is not passed over in silence', async () => {
    expect((await run(['sweep', '--to', '2026-01-01'])).exitCode).toBe(2)
  })

  test('a day that its month does not have is no time', async () => {
    expect((await run(['sweep', '--from', '2026-02-31'])).exitCode).toBe(2)
  })

  test.each(['sweep', 'status', 'retry --failed', 'backfill --from 1d'])(
    'a database out of reach ends %s with 3',
    async (command) => {
      const { exitCode, stdout, stderr } = await run(command.split(' '), {
        DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      })
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
      expect(stderr).toMatch(/^lcic-archive: .*\[E_DATABASE_UNREACHABLE\]\n$/)
    },
  )
})

describe('status', () => {
  test('of an empty archive says that nobody has swept', async () => {
    const { exitCode, stdout } = await run(['status'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      " day (UTC)    app    ended    archived    waiting    expired    missing    failed    gap 
      ─────────────────────────────────────────────────────────────────────────────────────────
       all days                0           0          0          0          0         0      0 
      Never swept.

      Each room that was named is archived, or the reason is given above; whether there are others is not known: run lcic-archive sweep.
      "
    `)
  })

  test('shows what ended beside what is archived; what waits is no problem', async () => {
    const { school } = archive
    for (let count = 0; count < 3; count++) school.addRoom({ members: 2 })
    school.addRoom({ fate: 'expired' })
    school.addRoom({ fate: 'missing' })
    school.addRoom({ realEndAt: null, scheduledEndAt: Math.floor(Date.now() / 1000) + 1800 })
    expect((await run(['sweep'])).exitCode).toBe(0)
    expect((await run(['run', '--until-idle'])).exitCode).toBe(1)
    const { exitCode, stdout } = await run(['status'])
    expect(exitCode).toBe(0)
    expect(steady(stdout)).toMatchInlineSnapshot(`
      " day (UTC)            app    ended    archived    waiting    expired    missing    failed    gap 
      ─────────────────────────────────────────────────────────────────────────────────────────────────
       2026-01-01    1400000001        5           3          1          1          0         0      0 
       all days                        5           3          1          1          0         0      0 
      1 room waiting: LCIC says that there is no such room, next try 2026-01-01 00:00 UTC, nearest deadline 2026-01-01 00:00 UTC.
      1 room planned or in class.
      3 archived rooms will be read once more.
      Archived in the last 24 hours: 3 rooms, half of them within 0.0 min of their end, 95 % within 0.0 min.
      App 1400000001: all that LCIC lists from 2026-01-01 00:00 UTC to 2026-01-01 00:00 UTC is known.

      Nothing is amiss: of the rooms that LCIC lists from 2026-01-01 00:00 UTC to 2026-01-01 00:00 UTC each is archived once it has ended, or the reason is given above.
      "
    `)
  })

  test('apps that were never swept and rooms that nobody asks for are problems', async () => {
    archive.school.addRoom()
    const apps = { LCIC_SDK_APP_IDS: '1400000001,1400000777' }
    // Who has no app swept goes without sweeps.
    expect((await run(['status'], apps)).exitCode).toBe(0)
    await run(['sweep'])
    const complete = async () => JSON.parse((await run(['status', '--json'])).stdout).complete
    // It waits.
    expect(await complete()).toBe(false)
    await sql`update archive.jobs set due_at = now() - interval '2 days'`.execute(archive.db)
    const { exitCode, stdout } = await run(['status'], apps)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(
      /^! Rooms are due since 20.* UTC, and nobody asks for them: start lcic-archive run, or more/m,
    )
    expect(stdout).toMatch(/^! App 1400000777 was never swept whole: .*: run lcic-archive sweep\.$/m)
    await run(['run', '--until-idle'])
    expect((await run(['status'])).exitCode).toBe(0)
    expect(await complete()).toBe(true)
  })

  test('a room that failed and one that nothing was done about end it with 1, and say what helps', async () => {
    const [gap, failed, good] = [
      archive.school.addRoom(),
      archive.school.addRoom({ roomId: largest }),
      archive.school.addRoom({ members: 3 }),
    ]
    await run(['sweep'])
    await archive.archive(good.roomId)
    await giveUp(failed.roomId)
    await sql`delete from archive.jobs where room_id = ${gap.roomId}`.execute(archive.db)
    await sql`update archive.jobs set deadline_at = now() - interval '1 day' where room_id = ${failed.roomId}`.execute(
      archive.db,
    )
    const plain = await run(['status'])
    expect(plain.exitCode).toBe(1)
    expect(steady(plain.stdout)).toMatchInlineSnapshot(`
      " day (UTC)            app    ended    archived    waiting    expired    missing    failed    gap 
      ─────────────────────────────────────────────────────────────────────────────────────────────────
       2026-01-01    1400000001        3           1          0          0          0         1      1 
       all days                        3           1          0          0          0         1      1 
      Archived in the last 24 hours: 1 room, half of them within 0.0 min of their end, 95 % within 0.0 min.
      App 1400000001: all that LCIC lists from 2026-01-01 00:00 UTC to 2026-01-01 00:00 UTC is known.

      ! 1 room ended without a job: run lcic-archive sweep.
      ! 1 room past the deadline: LCIC may have deleted the data.
      ! 1 room failed: lcic-archive status --failed says why, lcic-archive retry --failed tries again.
      "
    `)

    const list = await run(['status', '--failed'])
    expect(list.exitCode).toBe(1)
    expect(steady(list.stdout)).toMatchInlineSnapshot(`
      "9223372036854775807  failed, ended 2026-01-01 00:00 UTC, 12 attempts, deadline 2026-01-01 00:00 UTC
          Room 9223372036854775807: LCIC gave no usable answer (InternalError: It broke). (RequestId …)
      1 room failed or missing.
      "
    `)

    const json = await run(['status', '--failed', '--json'])
    expect(json.exitCode).toBe(1)
    const counts = { ended: 3, archived: 1, waiting: 0, expired: 0, missing: 0, failed: 1, gap: 1, passed_deadline: 1 }
    expect(JSON.parse(json.stdout)).toEqual({
      complete: false,
      problems: [
        '1 room ended without a job: run lcic-archive sweep',
        '1 room past the deadline: LCIC may have deleted the data',
        '1 room failed: lcic-archive status --failed says why, lcic-archive retry --failed tries again',
      ],
      read_at: isoTime,
      known_from: isoTime,
      known_up_to: isoTime,
      total: counts,
      days: [{ day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), sdk_app_id: 1400000001, ...counts }],
      waiting: [],
      upcoming: 0,
      rereads: 0,
      oldest_due_at: null,
      freshness: { rooms: 1, p50_ms: expect.any(Number), p95_ms: expect.any(Number) },
      sweeps: [
        {
          sdk_app_id: 1400000001,
          swept_from: isoTime,
          swept_until: isoTime,
          started_at: isoTime,
          finished_at: isoTime,
          rooms: 3,
          error_message: null,
        },
      ],
      budgets: expect.arrayContaining([
        {
          budget: expect.stringMatching(/^GetRooms /),
          backlog_ms: expect.any(Number),
          last_minute: expect.any(Number),
        },
      ]),
      rooms: [
        {
          room_id: String(largest),
          state: 'failed',
          ended_at: isoTime,
          deadline_at: isoTime,
          attempts: 12,
          error_code: 'InternalError',
          message: `Room ${largest}: LCIC gave no usable answer (InternalError: It broke).`,
          request_id: '00000000-0000-4000-8000-000000000000',
        },
      ],
    })
  })

  test('--failed of an archive without any says so', async () => {
    expect(await run(['status', '--failed'])).toMatchObject({ exitCode: 0, stdout: '0 rooms failed or missing.\n' })
  })

  test('shows the newest two weeks, and older days on which something is not archived; the sum is of all', async () => {
    const day = (daysAgo: number) => Math.floor(Date.now() / 1000) - daysAgo * 86_400
    const rooms = Array.from({ length: 30 }, (_, daysAgo) => ({
      roomId: BigInt(daysAgo + 1),
      sdkAppId: 1400000001n,
      status: 2,
      realEndTime: day(daysAgo),
    }))
    await recordRooms(archive.db, { rooms, listed: true, now: databaseTime })
    await sql`
      insert into archive.jobs (room_id, state, deadline_at, hinted_by, created_at, updated_at)
      select room_id, case when room_id = 30 then 'pending' else 'archived' end, now() + interval '1 day', 'sweep', now(), now()
      from archive.known_rooms`.execute(archive.db)
    const { stdout } = await run(['status'])
    const days = stdout.match(/^ \d{4}-\d\d-\d\d .*$/gm) ?? []
    expect(days).toHaveLength(15)
    expect(days[0]).toMatch(/ 1400000001 +1 +0 +1 +0 +0 +0 +0 $/)
    expect(stdout).toMatch(/^ all days +30 +29 +1 +0 +0 +0 +0 $/m)
    expect(JSON.parse((await run(['status', '--json'])).stdout).days).toHaveLength(30)
  })
})

describe('retry', () => {
  test('makes rooms due now, and names those that have no job; unknown ones end it with 1', async () => {
    const rooms = [archive.school.addRoom({ roomId: 312345678n }), archive.school.addRoom({ roomId: largest })]
    await run(['sweep'])
    for (const { roomId } of rooms) await giveUp(roomId)
    const { exitCode, stdout } = await run(['retry', '312345678', '404', String(largest - 1n)])
    expect(exitCode).toBe(1)
    expect(stdout).toMatchInlineSnapshot(`
      "1 room made due; lcic-archive run works them off.
      No job: 404, 9223372036854775806. Name them to lcic-archive archive.
      "
    `)
    const json = await run(['retry', String(largest), '404', '--json'])
    expect(json.exitCode).toBe(1)
    expect(JSON.parse(json.stdout)).toEqual({ due: [String(largest)], unknown: [404] })
    const jobs = archive.db.selectFrom('archive.jobs').select(['state', 'attempts', 'due_at']).execute()
    expect(await jobs).toEqual(Array(2).fill({ state: 'pending', attempts: 0, due_at: expect.any(Date) }))
    // All it asks LCIC for is left to `run`.
    expect(statisticsRequests()).toBe(0)
    expect(await run(['run', '--until-idle'])).toMatchObject({ exitCode: 0 })
  })

  test('--failed takes all that were given up, and no other', async () => {
    const [failed, waiting, archived] = [archive.school.addRoom(), archive.school.addRoom(), archive.school.addRoom()]
    await run(['sweep'])
    await archive.archive(archived.roomId)
    await giveUp(failed.roomId)
    const before = await archive.db.selectFrom('archive.jobs').selectAll().execute()
    expect(await run(['retry', '--failed', '--json'])).toMatchObject({ exitCode: 0 })
    const after = await archive.db.selectFrom('archive.jobs').selectAll().execute()
    const ofRoom = (jobs: typeof after, roomId: bigint) => jobs.find(({ room_id }) => room_id === roomId)
    expect(ofRoom(after, failed.roomId)).toMatchObject({ state: 'pending', due_at: expect.any(Date), attempts: 0 })
    for (const { roomId } of [waiting, archived]) expect(ofRoom(after, roomId)).toEqual(ofRoom(before, roomId))
    expect(await run(['retry', '--failed'])).toMatchObject({
      exitCode: 0,
      stdout: '0 rooms made due.\n',
    })
  })

  test('an archived room is read once more', async () => {
    const room = archive.school.addRoom({ members: 3 })
    await archive.archive(room.roomId)
    expect(await run(['retry', String(room.roomId)])).toMatchObject({ exitCode: 0 })
    const before = statisticsRequests()
    expect(await run(['run', '--until-idle'])).toMatchObject({ exitCode: 0 })
    expect(statisticsRequests()).toBe(before + 1)
  })

  test.each([[['retry']], [['retry', '--failed', '1']], [['retry', '0']], [['retry', 'x']]])(
    '%j is misused, and ends with 2',
    async (args) => {
      const { exitCode, stdout, stderr } = await run(args)
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(stderr).toMatch(/Give either room ids or --failed|Give whole numbers from 1/)
    },
  )
})

describe('backfill', () => {
  function addPastRooms() {
    const { school } = archive
    const ended = (daysAgo: number) => ({ scheduledEndAt: Math.floor(Date.now() / 1000) - daysAgo * 86_400 })
    const rooms = [1, 2, 3, 6, 9, 12].map((daysAgo) => school.addRoom({ members: 4, ...ended(daysAgo) }))
    const large = school.addRoom({ members: 2500, ...ended(4) })
    const expired = school.addRoom({ fate: 'expired', ...ended(5) })
    // Before and after the span.
    school.addRoom({ members: 4, ...ended(40) })
    school.addRoom({ members: 4 })
    return { rooms: [...rooms, large], expired }
  }
  const span = ['--from', '20d', '--to', '12h']

  test('--plan says what it takes, and writes nothing', async () => {
    addPastRooms()
    const { exitCode, stdout } = await run(['backfill', ...span, '--plan'], { LCIC_REQUESTS_PER_SECOND: '20' })
    expect(exitCode).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "8 rooms ended: 0 archived already or expired unused, 8 to archive.
      13 requests (5 to list the rooms), less than a minute at 20 requests a second.
      "
    `)
    const json = await run(['backfill', ...span, '--plan', '--json'])
    expect(JSON.parse(json.stdout)).toEqual({
      rooms: 8,
      settled: 0,
      to_archive: 8,
      requests: 8 + 5,
      minutes: expect.any(Number),
    })
    expect(await rowCounts()).toEqual({ jobs: 0, known_rooms: 0, rooms: 0, runs: 0, raw_pages: 0, sweeps: 0 })
    expect(statisticsRequests()).toBe(0)
  })

  test('archives all of the span and nothing else; again, it asks for no statistics again', async () => {
    const { rooms } = addPastRooms()
    const { exitCode, stdout } = await run(['backfill', ...span])
    expect(exitCode).toBe(0)
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "        app    from                    to                      rooms    ended    new jobs    requests 
      ──────────────────────────────────────────────────────────────────────────────────────────────────────
       1400000001    2026-01-01T00:00Z    2026-01-01T00:00Z        8        8           8           5 
      7 rooms archived, 1 expired unused; 10 requests, 2,524 members in 0.0 s.
      "
    `)
    for (const room of rooms) await expectTruth(archive.db, room)
    expect(await rowCounts()).toMatchObject({ jobs: 8, known_rooms: 8, rooms: 7 })
    // Those whose data are deleted first came first.
    const first = archive.db.selectFrom('archive.runs').select('room_id').orderBy('started_at')
    expect(await first.executeTakeFirst()).toEqual({ room_id: rooms[5]?.roomId })
    expect(statisticsRequests()).toBe(6 + 3 + 1)

    const again = await run(['backfill', ...span, '--json'])
    expect(again.exitCode).toBe(0)
    expect(JSON.parse(again.stdout)).toEqual({
      apps: [expect.objectContaining({ sdk_app_id: 1400000001, rooms: 8, ended: 8, new_jobs: 0 })],
      archived: 0,
      expired: 0,
      put_off: expect.any(Number),
      requests: expect.any(Number),
      members: 0,
      not_archived: 0,
      duration_ms: expect.any(Number),
    })
    expect(statisticsRequests()).toBe(6 + 3 + 1)
    // What is archived tells how many requests rooms take; and there is nothing left.
    const plan = await run(['backfill', '--from', '60d', '--to', '12h', '--plan', '--json'])
    expect(JSON.parse(plan.stdout)).toMatchObject({ rooms: 9, settled: 8, to_archive: 1 })
  })

  test('--plan of a list that never is whole says so, without a stack', async () => {
    addPastRooms()
    archive.simulator.setFaults(() => ({ kind: 'duplicate' }))
    const { exitCode, stdout, stderr } = await run(['backfill', '--from', '4d', '--plan'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(
      /^(\d+ rooms listed, up to [\d-]+ …\n)*lcic-archive: The list of rooms of app 1400000001 is not whole: .*\[E_INCOMPLETE_LIST\]\n$/,
    )
  })

  test('rooms that are not archived end it with 1', async () => {
    const { rooms } = addPastRooms()
    const [missing] = rooms
    if (missing) missing.fate = 'missing'
    const { exitCode, stdout } = await run(['backfill', ...span, '--json'])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ archived: 6, not_archived: 1 })
    // Again, when it is not due: it is not archived all the same.
    const again = await run(['backfill', ...span])
    expect(again).toMatchObject({ exitCode: 1 })
    expect(again.stdout).toMatch(
      /1 room of the span is not archived: 1 pending \(gone\)\. lcic-archive status says more\.\n$/,
    )
  })
})
