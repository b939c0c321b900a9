import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../lib/archive/archive-room'
import type { ArchiveContext } from '../../lib/archive/context'
import { describeRooms } from '../../lib/archive/describe-rooms'
import { replayRoom } from '../../lib/archive/replay-room'
import { sweep } from '../../lib/archive/sweep'
import { sweepAndDescribe } from '../../lib/archive/sweep-and-describe'
import { work } from '../../lib/archive/work'
import { type KnownRoom, recordRooms } from '../../lib/db/known-rooms'
import { readStatus } from '../../lib/db/read-status'
import { beginSweep, endSweep } from '../../lib/db/sweep-marks'
import { ArchiveError } from '../../lib/errors'
import { type Fault, type FaultRequest, School } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { testLog } from '../support/log-directory'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const noonMs = Date.UTC(2026, 2, 2, 12)
/** Unix seconds, as the school counts them. */
const noon = noonMs / 1000
const otherApp = 1400000002

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  const clock = {
    time: noonMs,
    now: () => clock.time,
    async sleep(durationMs: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      clock.time += Math.max(0, durationMs)
    },
  }
  let archive: TestArchive
  let app: bigint
  let logged: Record<string, unknown>[]
  const linesOf = (msg: string) => logged.filter((line) => line.msg === msg)

  async function open(options: Parameters<typeof openTestArchive>[0] = {}): Promise<void> {
    clock.time = noonMs
    logged = []
    const log = testLog((line) => logged.push(JSON.parse(line)))
    const school = new School({ nowMs: noonMs })
    archive = await openTestArchive({ version, clock, schoolClock: clock, school, log, ...options })
    app = BigInt(school.sdkAppId)
  }
  beforeEach(() => open())
  afterEach(() => archive?.close())

  const sweepApps = async (options: Partial<Parameters<typeof sweep>[1]> = {}) => {
    const reports = await sweep(archive.context, { sdkAppIds: [app], lookbackMs: 76 * HOUR * 1000, ...options })
    return reports.map((report) => ({ ...report, ended: report.endedRooms.length }))
  }

  /** One after the other, a quarter of an hour apart; the first ended an hour before noon. */
  function addEndedRooms(count: number, of: { sdkAppId?: number; fate?: 'expired' } = {}) {
    return Array.from({ length: count }, (_, index) =>
      archive.school.addRoom({ ...of, scheduledEndAt: noon - HOUR - index * 15 * MINUTE }),
    )
  }

  const jobs = () => archive.db.selectFrom('archive.jobs').selectAll().orderBy('room_id').execute()
  const knownRooms = () => archive.db.selectFrom('archive.known_rooms').selectAll().orderBy('room_id').execute()
  const jobOf = (roomId: bigint) =>
    archive.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
  const roomOf = (roomId: bigint) =>
    archive.db.selectFrom('archive.rooms').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
  const markOf = (sdkAppId: bigint) =>
    archive.db.selectFrom('archive.sweeps').selectAll().where('sdk_app_id', '=', sdkAppId).executeTakeFirst()
  const requestsFor = (action: string) => archive.simulator.requests.filter((request) => request.action === action)

  /** Which version of each row there is: any write would change it. */
  async function rowVersions() {
    const { rows } = await sql`
      select 'known' as of, room_id, xmin::text, ctid::text from archive.known_rooms
      union all select 'job', room_id, xmin::text, ctid::text from archive.jobs
      union all select 'room', room_id, xmin::text, ctid::text from archive.rooms
      order by 1, 2`.execute(archive.db)
    return rows
  }

  /** Spoils what the plan names, of requests for lists. */
  function spoil(plan: (request: FaultRequest) => 'shift' | 'total' | 'duplicate' | undefined): void {
    archive.simulator.setFaults((request) => {
      const kind = request.action === 'GetRooms' ? plan(request) : undefined
      return kind && { kind }
    })
  }

  test.each(['scheduled', 'real'] as const)(
    'every room of every page and app is found, expired ones too, where LCIC goes by %s times',
    async (roomsWindow) => {
      await archive.close()
      await open({ roomsWindow })
      const { school } = archive
      const ended = [...addEndedRooms(247), ...addEndedRooms(4, { sdkAppId: otherApp })]
      const expired = addEndedRooms(3, { fate: 'expired' })
      school.addRoom({ listed: false })
      school.addRoom({ sdkAppId: 1400000003 })
      const listed: unknown[] = []
      const observe = (event: unknown) => listed.push(event)
      const sdkAppIds = [app, BigInt(otherApp)]
      const sweeping = await sweep({ ...archive.context, observe }, { sdkAppIds, lookbackMs: 76 * HOUR * 1000 })
      const reports = sweeping.map((report) => ({ ...report, ended: report.endedRooms.length }))
      expect(reports).toEqual([
        expect.objectContaining({ sdkAppId: app, rooms: 250, ended: 250, newJobs: 250, requests: 3 }),
        expect.objectContaining({ sdkAppId: BigInt(otherApp), rooms: 4, ended: 4, newJobs: 4, requests: 1 }),
      ])
      for (const report of reports) expect(report).not.toHaveProperty('failure')
      const upTo = new Date(noonMs)
      expect(listed.slice(0, 3)).toEqual([100, 200, 250].map((rooms) => ({ type: 'listed', rooms, upTo })))
      expect(listed.slice(3)).toMatchObject([{ rooms: 4 }])
      const [, , third] = requestsFor('GetRooms')
      const swept = { level: 30, sdkAppId: String(app), rooms: 250, endedRooms: 250, newJobs: 250, requests: 3 }
      expect(linesOf('sweep')[0]).toMatchObject({ ...swept, requestId: third?.requestId })
      const { durationMs } = linesOf('sweep')[0] ?? {}
      expect(Number.isInteger(durationMs)).toBe(true)
      expect(durationMs).toBeLessThan(60_000)
      expect(durationMs).toBeGreaterThanOrEqual(0)

      const date = (seconds: number | null) => (seconds === null ? null : new Date(seconds * 1000))
      const byId = [...ended, ...expired].toSorted((a, b) => (a.roomId < b.roomId ? -1 : 1))
      expect(await knownRooms()).toEqual(
        byId.map((room) => ({
          room_id: room.roomId,
          sdk_app_id: BigInt(room.sdkAppId),
          status: room.fate === 'expired' ? 3 : 2,
          name: room.name,
          teacher_id: null,
          room_type: room.roomType,
          scheduled_start_at: date(room.scheduledStartAt),
          scheduled_end_at: date(room.scheduledEndAt),
          real_start_at: date(room.realStartAt),
          real_end_at: date(room.realEndAt),
          listed_at: expect.any(Date),
          changed_at: expect.any(Date),
        })),
      )
      const found = await jobs()
      expect(found.map(({ room_id }) => room_id)).toEqual(byId.map(({ roomId }) => roomId))
      expect(found.map(({ ended_at }) => ended_at)).toEqual(byId.map(({ realEndAt }) => date(realEndAt)))
      for (const job of found) {
        expect(job).toMatchObject({ state: 'pending', hinted_by: 'sweep', attempts: 0 })
        expect(job.due_at?.getTime()).toBeLessThanOrEqual(clock.time)
      }
    },
  )

  test('a sweep whose time is up says so, keeps what it saw, and the next one looks there again', async () => {
    addEndedRooms(150)
    const late = { deadline: clock.time + 10_000 }
    archive.simulator.setFaults(() => {
      clock.time = late.deadline + 1
      return undefined
    })
    expect(await sweepApps(late)).toMatchObject([
      { rooms: 100, newJobs: 100, failure: { code: 'E_BUDGET', isRefused: false } },
    ])
    expect(await sweepApps()).toMatchObject([{ rooms: 150, newJobs: 50 }])
  })

  test('apps share the time there is, and what one leaves is for those after it', async () => {
    addEndedRooms(150)
    addEndedRooms(150, { sdkAppId: otherApp })
    // Each page takes 4 s: the first app has half of 12 s, the other what is left.
    archive.simulator.setFaults(() => {
      clock.time += 4000
      return undefined
    })
    const apps = [app, BigInt(otherApp)]
    expect(await sweepApps({ sdkAppIds: apps, deadline: clock.time + 6000 })).toMatchObject([
      { rooms: 100, failure: { code: 'E_BUDGET' } },
      { rooms: 100, failure: { code: 'E_BUDGET' } },
    ])
    expect(await sweepApps({ sdkAppIds: apps, deadline: clock.time + 16_000 })).toMatchObject([
      { rooms: 150 },
      { rooms: 150 },
    ])
  })

  test('of a long time that cannot be looked through at once the first part counts, and the next sweep goes on there', async () => {
    const lookbackMs = HOUR * 1000
    await sweepApps({ lookbackMs })
    clock.time = noonMs + 10 * DAY * 1000
    const missed = archive.school.addRoom({ scheduledEndAt: noon + 9 * DAY })
    // Two parts of 96 hours, of which each begins an hour before the end of the last.
    const seenUpTo = new Date(noonMs + 190 * HOUR * 1000)
    let asked = 0
    const deadline = clock.time + 10_000
    archive.simulator.setFaults(() => {
      if (++asked === 2) clock.time = deadline + 1
      return undefined
    })
    const [cut] = await sweepApps({ lookbackMs, deadline })
    expect(cut).toMatchObject({ rooms: 0, failure: { code: 'E_BUDGET' } })
    const mark = await markOf(app)
    expect(mark).toMatchObject({ swept_from: new Date(noonMs - lookbackMs), finished_at: null })
    expect(mark?.swept_until).toEqual(seenUpTo)
    archive.simulator.setFaults(undefined)
    const [next] = await sweepApps({ lookbackMs })
    expect(next?.from).toEqual(new Date(seenUpTo.getTime() - lookbackMs))
    expect(await jobOf(missed.roomId)).toMatchObject({ state: 'pending' })
  })

  test('what a sweep has seen before it failed never takes back what was known', async () => {
    const lookbackMs = 10 * DAY * 1000
    await sweepApps({ lookbackMs })
    const { swept_until: known } = (await markOf(app)) ?? {}
    let asked = 0
    archive.simulator.setFaults(() => (++asked > 1 ? { kind: 'status', status: 502 } : undefined))
    await sweepApps({ lookbackMs })
    expect(await markOf(app)).toMatchObject({ swept_until: known, error_message: 'LCIC answered HTTP 502.' })
  })

  test('a long span is looked through in parts, each room counts once, and its time is known from then on', async () => {
    const { school } = archive
    for (let hours = 1; hours <= 30 * 24; hours += 8) school.addRoom({ scheduledEndAt: noon - hours * HOUR })
    const outside = school.addRoom({ scheduledEndAt: noon - 40 * DAY })
    const span = { from: new Date(noonMs - 30 * DAY * 1000), to: new Date(noonMs) }
    const [report] = await sweepApps({ span })
    expect(report).toMatchObject({ ...span, rooms: 90, ended: 90, newJobs: 90 })
    expect(report?.requests).toBe(8)
    expect((await jobs()).map(({ room_id }) => room_id)).not.toContain(outside.roomId)
    expect(await markOf(app)).toMatchObject({
      swept_from: span.from,
      swept_until: span.to,
      rooms: null,
      finished_at: null,
    })
  })

  test('what is known stays one piece: spans count where they touch it, and leave the regular sweep as it went', async () => {
    const ago = (days: number) => new Date(noonMs - days * DAY * 1000)
    const known = async (from: Date, to: Date) => {
      await sweepApps({ span: { from, to } })
      const { swept_from, swept_until, ...regular } = (await markOf(app)) ?? {}
      return { from: swept_from, to: swept_until, regular }
    }
    // Nothing is known yet, and the next regular sweep would not go on from there.
    expect(await known(ago(30), ago(20))).toEqual({ regular: {} })
    archive.simulator.setFaults(() => ({ kind: 'status', status: 502 }))
    await sweepApps()
    // Waiting for better answers has taken seconds.
    clock.time = noonMs
    archive.simulator.setFaults(undefined)
    const { regular, ...first } = await known(ago(5), ago(2))
    expect(first).toEqual({ from: ago(5), to: ago(2) })
    expect(regular).toMatchObject({ error_message: 'LCIC answered HTTP 502.', finished_at: null })
    expect(await known(ago(30), ago(20))).toMatchObject({ from: ago(5), to: ago(2), regular })
    expect(await known(ago(1), ago(0))).toMatchObject({ from: ago(5), to: ago(2), regular })
    expect(await known(ago(9), ago(5))).toMatchObject({ from: ago(9), to: ago(2), regular })
    expect(await known(ago(4), ago(3))).toMatchObject({ from: ago(9), to: ago(2), regular })
    // Of what could not be looked through nothing is known.
    archive.simulator.setFaults(() => ({ kind: 'status', status: 502 }))
    expect(await known(ago(12), ago(9))).toMatchObject({ from: ago(9), to: ago(2), regular })
    archive.simulator.setFaults(undefined)
    clock.time = noonMs
    // A span that goes on into the future tells nothing of it.
    expect(await known(ago(3), ago(-3))).toMatchObject({ from: ago(9), to: ago(0), regular })
    clock.time += DAY * 1000
    await sweepApps()
    expect(await markOf(app)).toMatchObject({ swept_from: ago(9), swept_until: ago(-1), error_message: null })
  })

  test('planned and running classes have a job for their planned end, and are not asked for before', async () => {
    const { school } = archive
    const times = { scheduledStartAt: noon - 20 * MINUTE, scheduledEndAt: noon + 25 * MINUTE }
    const running = school.addRoom({ ...times, realEndAt: noon + 10 * MINUTE })
    const overrunning = school.addRoom({ scheduledEndAt: noon - 5 * MINUTE, realEndAt: noon + HOUR })
    // GetRooms lists what touches the time up to now: a class that is planned for later comes with a later sweep.
    const late = school.addRoom({
      scheduledStartAt: noon - MINUTE,
      scheduledEndAt: noon + HOUR,
      realStartAt: noon + MINUTE,
    })
    expect(await sweepApps()).toMatchObject([{ rooms: 3, ended: 0, newJobs: 3 }])
    expect((await knownRooms()).map(({ status }) => status)).toEqual([1, 1, 0])
    expect(await jobOf(running.roomId)).toMatchObject({
      due_at: new Date(running.scheduledEndAt * 1000),
      ended_at: null,
    })
    expect(await jobOf(late.roomId)).toMatchObject({ due_at: new Date(late.scheduledEndAt * 1000), ended_at: null })
    // What should be over by now is looked at now.
    expect((await jobOf(overrunning.roomId)).due_at?.getTime()).toBeLessThanOrEqual(clock.time)
    await work(archive.context, { until: 'nothing_due' })
    expect(requestsFor('DescribeRoomStatistics').map(({ roomId }) => roomId)).toEqual([overrunning.roomId])

    clock.time = noonMs + 12 * MINUTE * 1000
    expect(await sweepApps()).toMatchObject([{ rooms: 3, ended: 1, newJobs: 0 }])
    expect((await jobOf(running.roomId)).ended_at).toEqual(new Date((noon + 10 * MINUTE) * 1000))
    await work(archive.context, { until: 'nothing_due' })
    expect(await jobOf(running.roomId)).toMatchObject({ state: 'archived' })
    expect(await jobOf(late.roomId)).toMatchObject({ state: 'pending', last_attempt_at: null })
  })

  test('a planned class that expires unused is looked at as soon as LCIC lists it so, whatever its job waits for', async () => {
    const times = { scheduledStartAt: noon - 5 * MINUTE, scheduledEndAt: noon + 5 * MINUTE }
    const unused = archive.school.addRoom({ ...times, fate: 'expired' })
    await sweepApps()
    await sql`update archive.jobs set due_at = ${new Date(noonMs + DAY * 1000)}`.execute(archive.db)
    clock.time = noonMs + 10 * MINUTE * 1000
    expect(await sweepApps()).toMatchObject([{ ended: 1, newJobs: 0 }])
    await work(archive.context, { until: 'nothing_due' })
    expect(await jobOf(unused.roomId)).toMatchObject({ state: 'expired' })
  })

  test('a second sweep of the same rooms writes no row and makes no job', async () => {
    const { school } = archive
    const [first] = addEndedRooms(120)
    addEndedRooms(2, { fate: 'expired' })
    school.addRoom({ scheduledEndAt: noon + 10 * MINUTE })
    if (first) await archive.archive(first.roomId)
    await sweepApps()
    await work(archive.context, { until: 'nothing_due', roomsAtOnce: 1 })
    const before = await rowVersions()
    expect(before).toHaveLength(123 + 123 + 120)
    expect(await sweepApps()).toMatchObject([{ rooms: 123, ended: 122, newJobs: 0, requests: 2 }])
    expect(await rowVersions()).toEqual(before)
  })

  test.each(['shift', 'total', 'duplicate'] as const)(
    'pages that do not fit together (%s) are read again, and nothing is lost',
    async (kind) => {
      addEndedRooms(250)
      let spoilt = 0
      // Another page each time.
      spoil(({ page }) => (spoilt < 2 && page === spoilt + 1 && ++spoilt ? kind : undefined))
      const [report] = await sweepApps()
      expect(spoilt).toBe(2)
      // All pages once more.
      expect(report).toMatchObject({ rooms: 250, newJobs: 250, requests: 6 })
      expect(report).not.toHaveProperty('failure')
      expect(await jobs()).toHaveLength(250)
      expect(await markOf(app)).toMatchObject({ swept_until: new Date(noonMs), error_message: null })
    },
  )

  test.each<Fault>([{ kind: 'reset' }, { kind: 'error', code: 'InternalError' }, { kind: 'not-json' }])(
    'a page that does not come ($kind) is asked for again, and nothing is lost',
    async (fault) => {
      addEndedRooms(230)
      let faults = 2
      archive.simulator.setFaults(({ action, page }) =>
        action === 'GetRooms' && page === 2 && faults-- > 0 ? fault : undefined,
      )
      expect(await sweepApps()).toMatchObject([{ rooms: 230, newJobs: 230 }])
      expect((await markOf(app))?.swept_until).not.toBeNull()
    },
  )

  test('of a list that never is whole, what was seen has jobs, and the mark stays until a sweep sees all', async () => {
    const rooms = addEndedRooms(150)
    await sweepApps({ span: { from: new Date(0), to: new Date(1000) } })
    spoil(({ page }) => (page === 1 ? 'duplicate' : undefined))
    const [report] = await sweepApps()
    expect(report).toMatchObject({ rooms: 149, ended: 149, newJobs: 149, requests: 8 })
    expect(report?.failure?.reason).toMatch(
      /^The list of rooms of app 1400000001 is not whole: from 2026-02-27T08:00:00\.\d+Z to 2026-03-02T12:00:.*Z it counts 150 rooms and lists 149\.$/,
    )
    expect(await jobs()).toHaveLength(149)
    const mark = await markOf(app)
    expect(mark).toMatchObject({ swept_until: null, finished_at: null, rooms: 149 })
    expect(mark?.error_message).toContain('it counts 150 rooms and lists 149')

    archive.simulator.setFaults(undefined)
    const startedAt = new Date(clock.time)
    expect(await sweepApps()).toMatchObject([{ rooms: 150, newJobs: 1 }])
    expect(await jobs()).toHaveLength(rooms.length)
    expect(await markOf(app)).toMatchObject({
      swept_until: startedAt,
      finished_at: expect.any(Date),
      error_message: null,
    })
  })

  test('a list whose pages count differently is not whole, and says what they count', async () => {
    addEndedRooms(150)
    spoil(({ page }) => (page === 2 ? 'total' : undefined))
    const [report] = await sweepApps()
    expect(report?.failure?.reason).toMatch(/ it counts 150, then \d+ rooms and lists 150\.$/)
  })

  test('an app that the role has no right to keeps no other from being swept; refused credentials do', async () => {
    const apps = { sdkAppIds: [app, BigInt(otherApp)] }
    addEndedRooms(2, { sdkAppId: otherApp })
    let asked = 0
    const refuseFirst = (code: string) => () => (asked++ === 0 ? ({ kind: 'error', code } as const) : undefined)
    archive.simulator.setFaults(refuseFirst('UnauthorizedOperation'))
    expect(await sweepApps(apps)).toMatchObject([{ failure: { isRefused: true } }, { rooms: 2, newJobs: 2 }])
    asked = 0
    archive.simulator.setFaults(refuseFirst('AuthFailure.SecretIdNotFound'))
    const refused = await sweepApps(apps).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ConfigurationError)
    expect(refused).toMatchObject({
      code: 'AuthFailure.SecretIdNotFound',
      message: expect.stringMatching(
        /^App 1400000001: .* \(AuthFailure\.SecretIdNotFound\)\. Check TENCENTCLOUD_SECRET_ID/,
      ),
    })
    expect(asked).toBe(1)
  })

  test('an app that LCIC does not know is named as what to check', async () => {
    archive.simulator.setFaults(() => ({ kind: 'error', code: 'InvalidParameter.SdkAppId', message: 'No such app. ' }))
    const [report] = await sweepApps()
    const reason = 'No such app (InvalidParameter.SdkAppId). Check LCIC_SDK_APP_IDS.'
    expect(report?.failure).toEqual({ code: 'InvalidParameter.SdkAppId', isRefused: true, reason })
    expect(linesOf('sweep')).toMatchObject([{ level: 50, failure: { reason } }])
  })

  test('what is not the doing of LCIC ends a sweep, and is kept with it', async () => {
    addEndedRooms(1)
    for (const [error, code] of [
      [new TypeError('a defect'), 'E_UNEXPECTED'],
      [new Error('Connection terminated unexpectedly'), 'E_DATABASE_UNREACHABLE'],
    ] as const) {
      const observe = () => {
        throw error
      }
      const swept = sweep({ ...archive.context, observe }, { sdkAppIds: [app], lookbackMs: HOUR * 1000 })
      await expect(swept).rejects.toBe(error)
      expect(await markOf(app)).toMatchObject({ error_message: error.message, finished_at: null })
      expect(linesOf('sweep').at(-1)).toMatchObject({ level: 50, failure: { code, isRefused: false } })
    }
  })

  test('parts of a span begin and end with whole seconds, and what is not whole of them is told', async () => {
    addEndedRooms(2)
    spoil(() => 'total')
    const slept: [number, AbortSignal | undefined][] = []
    const { signal } = new AbortController()
    const sleepy = {
      ...clock,
      async sleep(durationMs: number, given?: AbortSignal) {
        slept.push([durationMs, given])
        await clock.sleep(durationMs)
      },
    }
    const span = { from: new Date(noonMs - 97 * HOUR * 1000 + 1), to: new Date(noonMs - 1) }
    const [report] = await sweep(
      { ...archive.context, clock: sleepy },
      { sdkAppIds: [app], lookbackMs: 0, span, signal },
    )
    expect(report?.failure).toMatchObject({ code: 'E_INCOMPLETE_LIST', isRefused: false })
    expect(report?.failure?.reason).toMatch(
      /is not whole: from 2026-02-26T11:00:00.000Z to 2026-03-02T11:00:01.000Z it counts .* rooms and lists \d; from 2026-03-02T10:00:00.000Z to 2026-03-02T12:00:00.000Z it counts .* rooms and lists \d\.$/,
    )
    // Each is read four times, with more patience each time.
    const waits = slept.filter(([, given]) => given === signal).map(([durationMs]) => durationMs)
    expect(waits.filter((durationMs) => durationMs >= 500)).toEqual([500, 1000, 1500, 500, 1000, 1500])
    expect(await markOf(app)).toBeUndefined()
  })

  test('an app that LCIC does not answer for keeps no other from being swept', async () => {
    addEndedRooms(3)
    addEndedRooms(2, { sdkAppId: otherApp })
    let failures = 0
    // One request and its four retries are the first app's.
    archive.simulator.setFaults(() => (failures++ < 5 ? { kind: 'status', status: 502 } : undefined))
    const reports = await sweepApps({ sdkAppIds: [app, BigInt(otherApp)] })
    expect(reports).toMatchObject([
      { rooms: 0, failure: { code: 'E_HTTP_502', isRefused: false, reason: 'LCIC answered HTTP 502.' } },
      { rooms: 2, newJobs: 2 },
    ])
    expect(reports[1]).not.toHaveProperty('failure')
    expect(await markOf(app)).toMatchObject({ swept_until: null, error_message: 'LCIC answered HTTP 502.' })
    expect((await markOf(BigInt(otherApp)))?.swept_until).toBeInstanceOf(Date)
  })

  test('a role that may not list rooms is told which rights it lacks, after one request', async () => {
    const message = '[request id] You are not authorized to perform operation'
    archive.simulator.setFaults(() => ({ kind: 'error', code: 'UnauthorizedOperation.CamNoAuth', message }))
    const [report] = await sweepApps()
    expect(report?.failure).toMatchObject({ code: 'UnauthorizedOperation.CamNoAuth', isRefused: true })
    expect(report?.failure?.reason).toMatch(/not authorized.*Grant lcic:.*lcic:GetRooms.*to the user or role/)
    expect(archive.simulator.requests).toHaveLength(1)
    expect(await markOf(app)).toMatchObject({
      swept_until: null,
      finished_at: null,
      error_message: expect.stringContaining(message),
    })
  })

  test('an abort ends a sweep with its reason, and keeps what was seen and the mark', async () => {
    addEndedRooms(150)
    const controller = new AbortController()
    // Even one of this program's own errors: an abort is no failure of LCIC.
    const reason = new ArchiveError('E_ENOUGH', 'enough')
    archive.simulator.setFaults(({ page }) => {
      if (page !== 2) return undefined
      setImmediate(() => controller.abort(reason))
      return { kind: 'hang' }
    })
    await expect(sweepApps({ signal: controller.signal })).rejects.toBe(reason)
    expect(await jobs()).toHaveLength(100)
    expect(await markOf(app)).toMatchObject({ swept_until: null, finished_at: null })
  })

  test('a sweep that was killed is made up for by the next one, however late that comes', async () => {
    const lookbackMs = HOUR * 1000
    await sweepApps({ lookbackMs })
    const missed = archive.school.addRoom({ scheduledEndAt: noon + DAY })
    clock.time = noonMs + (DAY + HOUR) * 1000
    await sql`update archive.sweeps set error_message = 'of a sweep before'`.execute(archive.db)
    await beginSweep(archive.db, { sdkAppId: app, now: archive.context.now() })
    expect(await markOf(app)).toMatchObject({
      started_at: new Date(clock.time),
      finished_at: null,
      error_message: null,
      swept_until: new Date(noonMs),
    })
    clock.time = noonMs + 9 * DAY * 1000
    expect(await sweepApps({ lookbackMs })).toMatchObject([
      { from: new Date(noonMs - lookbackMs), rooms: 1, newJobs: 1 },
    ])
    expect(await jobOf(missed.roomId)).toMatchObject({ state: 'pending' })
    expect((await markOf(app))?.swept_until?.getTime()).toBeGreaterThanOrEqual(noonMs + 9 * DAY * 1000)
  })

  test('a machine whose clock goes back looks from its own time on, and the mark goes back with it: else what ends until then would be missed', async () => {
    await sweepApps()
    clock.time = noonMs - DAY * 1000
    const [report] = await sweepApps({ lookbackMs: HOUR * 1000 })
    expect(report?.from).toEqual(new Date(noonMs - (DAY + HOUR) * 1000))
    expect((await markOf(app))?.swept_until).toEqual(new Date(noonMs - DAY * 1000))
  })

  test('what is known begins where regular sweeps have gone on from each other', async () => {
    const from = (ms: number) => new Date(noonMs + ms)
    const sweptAfter = async (seen: { from: Date; to: Date }) => {
      await endSweep(archive.db, { sdkAppId: app, now: seen.to, rooms: 0, seen })
      const { swept_from, swept_until } = (await markOf(app)) ?? {}
      return { from: swept_from, to: swept_until }
    }
    await beginSweep(archive.db, { sdkAppId: app, now: from(0) })
    expect(await sweptAfter({ from: from(0), to: from(10) })).toEqual({ from: from(0), to: from(10) })
    expect(await sweptAfter({ from: from(10), to: from(20) })).toEqual({ from: from(0), to: from(20) })
    // It began before all that is known, or after it with a time in between.
    expect(await sweptAfter({ from: from(-5), to: from(25) })).toEqual({ from: from(-5), to: from(25) })
    expect(await sweptAfter({ from: from(30), to: from(40) })).toEqual({ from: from(30), to: from(40) })
  })

  test('what LCIC does not say of a room stays as it was known, and only lists say that it is listed', async () => {
    const { db, context } = archive
    const roomId = 5n
    const remember = (room: Partial<KnownRoom>, listed: boolean) =>
      recordRooms(db, { rooms: [{ roomId, ...room }], listed, now: context.now() })
    const told = {
      sdkAppId: app,
      status: 2,
      name: 'a class',
      teacherId: 'who taught',
      roomType: 1,
      scheduledStartTime: noon - HOUR,
      scheduledEndTime: noon,
      realStartTime: noon - HOUR,
      realEndTime: noon,
    }
    await remember(told, false)
    const first = (await knownRooms())[0]
    expect(first).toMatchObject({ status: 2, teacher_id: 'who taught', real_end_at: new Date(noonMs), listed_at: null })
    await remember({ name: 'another name' }, false)
    const second = { ...first, name: 'another name' }
    expect(await knownRooms()).toEqual([second])
    await remember({}, true)
    const listed = { ...second, listed_at: new Date(clock.time) }
    expect(await knownRooms()).toMatchObject([listed])
    clock.time += DAY * 1000
    await remember({}, true)
    expect(await knownRooms()).toMatchObject([listed])
  })

  test('a job that somebody deleted is a gap until the next sweep makes it anew', async () => {
    const [lost] = addEndedRooms(3)
    await sweepApps()
    const gaps = async () => (await readStatus(archive.db, { now: archive.context.now() })).days.map(({ gap }) => gap)
    expect(await gaps()).toEqual([0])
    await sql`delete from archive.jobs where room_id = ${lost?.roomId}`.execute(archive.db)
    expect(await gaps()).toEqual([1])
    expect(await sweepApps()).toMatchObject([{ newJobs: 1 }])
    expect(await gaps()).toEqual([0])
    await work(archive.context, { until: 'nothing_due' })
    expect(await jobOf(lost?.roomId ?? 0n)).toMatchObject({ state: 'archived' })
  })

  test('what LCIC lists of a room reaches the archived room, whichever comes first, and again when it changes', async () => {
    const { school } = archive
    const before = school.addRoom({ members: 2, name: 'first', roomType: 1 })
    const after = school.addRoom({ members: 2, name: 'second', roomType: 3 })
    await archive.archive(before.roomId)
    expect(await roomOf(before.roomId)).toMatchObject({ name: null, sdk_app_id: null, scheduled_end_at: null })
    await sweepApps()
    await archive.archive(after.roomId)
    for (const { roomId, name, roomType, scheduledStartAt, scheduledEndAt } of [before, after]) {
      expect(await roomOf(roomId)).toMatchObject({
        sdk_app_id: app,
        name,
        room_type: roomType,
        scheduled_start_at: new Date(scheduledStartAt * 1000),
        scheduled_end_at: new Date(scheduledEndAt * 1000),
        teacher_id: null,
        revision: 1,
      })
    }
    after.name = 'renamed'
    await sweepApps()
    expect(await roomOf(after.roomId)).toMatchObject({ name: 'renamed', revision: 1 })
  })

  describe('after a sweep', () => {
    const both = (options: object = {}) =>
      sweepAndDescribe(archive.context, { sdkAppIds: [app], lookbackMs: 76 * HOUR * 1000, ...options })
    const archiveSix = async () => {
      for (let count = 0; count < 6; count++) await archive.archive(archive.school.addRoom().roomId)
    }
    /** Each room that is described takes so long. */
    const takes = (ms: number) =>
      archive.simulator.setFaults(({ action }) => {
        if (action === 'DescribeRoom') clock.time += ms
        return undefined
      })

    test('rooms are described, for half a minute at most', async () => {
      await archiveSix()
      takes(31_000)
      const first = await both()
      expect(first.reports).toMatchObject([{ sdkAppId: app, rooms: 6 }])
      expect(first.described).toBeGreaterThan(0)
      expect(first.described).toBeLessThan(6)
      takes(1000)
      for (let described = first.described; described < 6; ) described += (await both()).described
    })

    test('rooms are described for as long as there is time, and until it is aborted', async () => {
      await archiveSix()
      takes(2000)
      expect((await both({ deadline: clock.time + 1500 })).described).toBeLessThan(6)
      const controller = new AbortController()
      archive.simulator.setFaults(({ action }) => {
        if (action !== 'DescribeRoom') return undefined
        controller.abort(new Error('enough'))
        return { kind: 'hang' }
      })
      await expect(both({ signal: controller.signal })).rejects.toThrow('enough')
    })
  })

  describe('describing rooms', () => {
    const describe = (most = 100) => describeRooms(archive.context, { most, patience: { waitMs: 0 } })
    const teachers = async () =>
      (await archive.db.selectFrom('archive.rooms').select(['room_id', 'teacher_id']).orderBy('room_id').execute()).map(
        ({ teacher_id }) => teacher_id,
      )

    test('fills in who taught, asks once a room, and passes over rooms that are gone', async () => {
      const teacherIds = ['a', 'b', '', 'd', 'e', 'f', 'g']
      const rooms = teacherIds.map((teacherId) => archive.school.addRoom({ teacherId }))
      for (const { roomId } of rooms) await archive.archive(roomId)
      const [gone] = rooms
      if (gone) gone.fate = 'missing'
      expect(await describe()).toBe(6)
      expect(await teachers()).toEqual(['', ...teacherIds.slice(1)])
      expect(await roomOf(rooms[1]?.roomId ?? 0n)).toMatchObject({ name: rooms[1]?.name, sdk_app_id: app, revision: 1 })
      expect(await describe()).toBe(0)
      const asked = requestsFor('DescribeRoom').map(({ roomId }) => roomId)
      expect(asked.toSorted()).toEqual(rooms.map(({ roomId }) => roomId).toSorted())
      // Only lists say that a room is listed.
      expect(await knownRooms()).toMatchObject(rooms.map(() => ({ listed_at: null })))
    })

    test('lists and descriptions each take slots of their own budget, and the log says what was asked for', async () => {
      const room = archive.school.addRoom({ scheduledEndAt: noon - HOUR })
      await archive.archive(room.roomId)
      const taken: string[] = []
      const { budget } = archive.context
      const logged: Record<string, unknown>[] = []
      const context: ArchiveContext = {
        ...archive.context,
        log: testLog((line) => logged.push(JSON.parse(line))),
        budget: {
          ...budget,
          take(action, wait) {
            taken.push(action)
            return budget.take(action, wait)
          },
        },
      }
      await sweep(context, { sdkAppIds: [app], lookbackMs: 76 * HOUR * 1000 })
      await describeRooms(context, { most: 1, patience: { waitMs: 0 } })
      expect(taken).toEqual(['GetRooms', 'DescribeRoom'])
      expect(logged.filter(({ msg }) => msg === 'answer')).toMatchObject([
        { action: 'GetRooms', sdkAppId: String(app), page: 1 },
        { action: 'DescribeRoom', roomId: String(room.roomId) },
      ])
    })

    test('asks about no more rooms than it is told to, the newest first, and about none of long ago', async () => {
      const rooms = Array.from({ length: 3 }, () => archive.school.addRoom())
      for (const { roomId } of rooms) {
        await archive.archive(roomId)
        clock.time += MINUTE * 1000
      }
      expect(await describe(1)).toBe(1)
      expect(await teachers()).toEqual([null, null, 'teacher-001'])
      clock.time += 8 * DAY * 1000
      expect(await describe()).toBe(0)
      expect(requestsFor('DescribeRoom')).toHaveLength(1)
    })

    test('asks about classes that go on only once their planned end has passed', async () => {
      const times = { scheduledStartAt: noon - HOUR, realEndAt: noon + HOUR }
      const overdue = archive.school.addRoom({ ...times, scheduledEndAt: noon - MINUTE })
      const running = archive.school.addRoom({ ...times, scheduledEndAt: noon + MINUTE })
      await sweepApps()
      for (const { roomId } of [overdue, running]) await archive.archive(roomId)
      expect((await jobs()).map(({ reason }) => reason)).toEqual(['not_ended', 'not_ended'])
      await describe()
      expect(requestsFor('DescribeRoom').map(({ roomId }) => roomId)).toEqual([overdue.roomId])
    })

    test('ends quietly where that is not allowed, and is made up for once it is', async () => {
      for (let count = 0; count < 10; count++) await archive.archive(archive.school.addRoom().roomId)
      archive.simulator.setFaults(({ action }) =>
        action === 'DescribeRoom' ? { kind: 'error', code: 'UnauthorizedOperation.CamNoAuth' } : undefined,
      )
      expect(await describe()).toBe(0)
      // Those that were under way together.
      expect(requestsFor('DescribeRoom').length).toBeLessThanOrEqual(4)
      const facts = { kind: 'configuration', code: 'UnauthorizedOperation.CamNoAuth' }
      const told = linesOf('rooms cannot be described now')
      expect(told).toHaveLength(requestsFor('DescribeRoom').length)
      for (const { roomId, requestId } of requestsFor('DescribeRoom'))
        expect(told).toContainEqual(expect.objectContaining({ level: 40, roomId: String(roomId), ...facts, requestId }))
      expect(await teachers()).toEqual(Array(10).fill(null))
      archive.simulator.setFaults(undefined)
      expect(await describe()).toBe(10)
    })

    test('ends soon where every room is refused', async () => {
      for (let count = 0; count < 20; count++) await archive.archive(archive.school.addRoom().roomId)
      const others = archive.simulator.requests.length
      archive.simulator.setFaults(() => ({ kind: 'error', code: 'UnsupportedRegion' }))
      expect(await describe()).toBe(0)
      // Three, and those that were under way with them.
      expect(archive.simulator.requests.length - others).toBeLessThanOrEqual(6)
      expect(linesOf('the room cannot be described')).toHaveLength(2)
      expect(linesOf('rooms cannot be described now').length).toBeGreaterThan(0)
    })

    test('passes over a room that is refused now and then, and tells of each that is described', async () => {
      const rooms = Array.from({ length: 12 }, () => archive.school.addRoom())
      for (const { roomId } of rooms) await archive.archive(roomId)
      const refused = new Set(rooms.filter((_, index) => index % 3 === 0).map(({ roomId }) => roomId))
      archive.simulator.setFaults(({ action, roomId = 0n }) =>
        action === 'DescribeRoom' && refused.has(roomId) ? { kind: 'error', code: 'InvalidParameter' } : undefined,
      )
      const described: unknown[] = []
      const observe = (event: object) => described.push(event)
      // One at a time, so that none is refused beside another.
      const { budget, ...context } = archive.context
      const queue = { last: Promise.resolve() as Promise<unknown> }
      const lcic = {
        ...context.lcic,
        describeRoom(...args: Parameters<typeof context.lcic.describeRoom>) {
          const answer = queue.last.catch(() => undefined).then(() => context.lcic.describeRoom(...args))
          queue.last = answer
          return answer
        },
      }
      const patience = { waitMs: 0 }
      expect(await describeRooms({ ...context, budget, lcic, observe }, { most: 100, patience })).toBe(8)
      expect(linesOf('the room cannot be described')).toHaveLength(4)
      expect(linesOf('rooms cannot be described now')).toEqual([])
      expect(described.filter((event) => Reflect.get(event as object, 'type') === 'described')).toEqual(
        Array.from({ length: 8 }, (_, index) => ({ type: 'described', rooms: index + 1 })),
      )
    })

    test('passes nothing over that is not the doing of LCIC', async () => {
      await archive.archive(archive.school.addRoom().roomId)
      const observe = () => {
        throw new TypeError('a defect')
      }
      const described = describeRooms({ ...archive.context, observe }, { most: 1, patience: { waitMs: 0 } })
      await expect(described).rejects.toThrow('a defect')
    })

    test('ends, where it fails, once none of its requests is under way any more', async () => {
      for (let rooms = 0; rooms < 9; rooms++) await archive.archive(archive.school.addRoom().roomId)
      let asked = 0
      let answered = 0
      let goOn = () => {}
      const areFour = new Promise<void>((resolve) => {
        goOn = resolve
      })
      const lcic: ArchiveContext['lcic'] = {
        ...archive.context.lcic,
        async describeRoom(...args) {
          const isFirst = ++asked === 1
          if (asked === 4) goOn()
          await areFour
          if (isFirst) throw new TypeError('a defect')
          return archive.context.lcic.describeRoom(...args).finally(() => answered++)
        },
      }
      const described = describeRooms({ ...archive.context, lcic }, { most: 9, patience: { waitMs: 0 } })
      await expect(described).rejects.toThrow('a defect')
      expect({ asked, answered }).toEqual({ asked: 4, answered: 3 })
    })

    test('a replay of emptied rooms brings the facts back', async () => {
      const room = archive.school.addRoom({ members: 3 })
      await sweepApps()
      await work(archive.context, { until: 'nothing_due' })
      await describe()
      const before = await roomOf(room.roomId)
      expect(before).toMatchObject({ sdk_app_id: app, name: room.name, teacher_id: 'teacher-001' })
      await sql`truncate archive.rooms, archive.member_records`.execute(archive.db)
      await replayRoom(archive.db, room.roomId)
      expect(await roomOf(room.roomId)).toEqual(before)
    })
  })
})
