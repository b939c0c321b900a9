import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../lib/archive/archive-room'
import type { Clock } from '../../lib/clock'
import { openTestArchive, type TestArchive } from '../support/archive'

/** A clock that stands still until a test moves it; whoever sleeps on it moves it. */
const clock: Clock & { time: number } = {
  time: Date.now(),
  now: () => clock.time,
  async sleep(durationMs) {
    clock.time += durationMs
  },
}

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ clock })
})
afterAll(() => archive.close())

async function jobOf(roomId: bigint) {
  return archive.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirstOrThrow()
}

async function runsOf(roomId: bigint) {
  return archive.db.selectFrom('archive.runs').selectAll().where('room_id', '=', roomId).orderBy('attempt').execute()
}

interface Expectation {
  readonly codes: readonly string[]
  readonly kind: string
  readonly state: string
  readonly attempts: number
  /** Requests it takes, the ones in the same process included. */
  readonly requests: number
  readonly message: RegExp
}

const table: Expectation[] = [
  {
    codes: ['ResourceUnavailable.RoomStatistics', 'ResourceUnavailable'],
    kind: 'not_ready',
    state: 'pending',
    attempts: 1,
    requests: 1,
    message: /LCIC is still computing its statistics .* It will be asked again\./,
  },
  {
    codes: ['FailedOperation.RoomNotEnd'],
    kind: 'not_ended',
    state: 'pending',
    attempts: 1,
    requests: 1,
    message: /the class is still going on .* statistics exist once it has ended\./,
  },
  {
    codes: ['RequestLimitExceeded', 'RequestLimitExceeded.UinLimitExceeded', 'LimitExceeded'],
    kind: 'throttled',
    state: 'pending',
    attempts: 0,
    requests: 21,
    message: /more often than it allows .* LCIC_REQUESTS_PER_SECOND/,
  },
  {
    codes: [
      'InternalError',
      'InternalError.Database',
      'FailedOperation',
      'FailedOperation.RequestTimedOut',
      'ServiceUnavailable',
    ],
    kind: 'transient',
    state: 'pending',
    attempts: 1,
    requests: 5,
    message: /LCIC gave no usable answer .* It will be asked again\./,
  },
  {
    codes: ['ResourceNotFound.Room'],
    kind: 'gone',
    state: 'pending',
    attempts: 1,
    requests: 1,
    message: /there is no such room .* asked again for a day before it counts as missing\./,
  },
  {
    codes: ['FailedOperation.ClassExpired'],
    kind: 'expired',
    state: 'expired',
    attempts: 1,
    requests: 1,
    message: /expired without a class, so there are no statistics .* nothing to do/,
  },
  {
    codes: ['ResourceInsufficient', 'FailedOperation.Whatever', 'ResourceNotFound.Elsewhere', 'Quite'],
    kind: 'unknown',
    state: 'pending',
    attempts: 1,
    requests: 5,
    message: /a code that is not documented .* please report the code\./,
  },
]

describe.each(table)('$kind: $codes', ({ codes, kind, state, attempts, requests, message }) => {
  test.each(codes)('%s', async (code) => {
    const room = archive.school.addRoom({ members: 3 })
    const before = archive.simulator.requests.length
    archive.simulator.setFaults(() => ({ kind: 'error', code, message: 'What the vendor says.' }))
    const report = await archive.archive(room.roomId)
    archive.simulator.setFaults(undefined)

    expect(report).toMatchObject({ outcome: kind, state, code })
    expect(archive.simulator.requests.length - before).toBe(requests)
    const job = await jobOf(room.roomId)
    expect(job).toMatchObject({ state, attempts, last_error_code: code, leased_by: null, lease_until: null })
    expect(job.last_error_message).toMatch(message)
    expect(job.last_error_message).toContain(`Room ${room.roomId}:`)
    expect(job.last_error_message).toContain(`${code}: What the vendor says`)
    expect(job.last_request_id).toBe(archive.simulator.requests.at(-1)?.requestId)
    const [run, ...others] = await runsOf(room.roomId)
    expect(others).toEqual([])
    expect(run).toMatchObject({ outcome: kind, error_code: code, pages: 0, records: 0 })
    expect(run?.request_ids).toHaveLength(requests)

    // Whatever it was, the room is archived as soon as LCIC gives its statistics.
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'archived', state: 'archived' })
    expect(await jobOf(room.roomId)).toMatchObject({ state: 'archived', attempts: 0, last_error_code: null })
  })
})

describe('configuration: the run stops, no room is blamed, and the message says what to mend', () => {
  test.each([
    ['AuthFailure.SignatureFailure', /TENCENTCLOUD_SECRET_KEY/],
    ['AuthFailure.SecretIdNotFound', /TENCENTCLOUD_SECRET_ID/],
    ['AuthFailure.SignatureExpire', /clock .* more than 5 minutes/],
    ['AuthFailure.TokenFailure', /TENCENTCLOUD_SESSION_TOKEN/],
    ['UnauthorizedOperation', /lcic:DescribeRoomStatistics/],
    ['UnauthorizedOperation.CamNoAuth', /lcic:DescribeRoomStatistics/],
    ['InvalidParameter', /LCIC_ENDPOINT/],
    ['InvalidParameterValue.Limit', /LCIC_ENDPOINT/],
    ['InvalidAction', /LCIC_ENDPOINT/],
    ['MissingParameter', /LCIC_ENDPOINT/],
    ['UnknownParameter', /LCIC_ENDPOINT/],
    ['UnsupportedRegion', /LCIC_REGION/],
    ['UnsupportedOperation', /LCIC_ENDPOINT/],
    ['NoSuchVersion', /LCIC_ENDPOINT/],
    ['ActionOffline', /LCIC_ENDPOINT/],
    ['IpInBlacklist', /address/],
    ['IpNotInWhitelist', /address/],
  ])('%s', async (code, mend) => {
    const room = archive.school.addRoom({ members: 3 })
    archive.simulator.setFaults(() => ({ kind: 'error', code, message: 'What the vendor says.' }))
    const failure = await archive.archive(room.roomId).catch((error: unknown) => error)
    archive.simulator.setFaults(undefined)
    expect(failure).toBeInstanceOf(ConfigurationError)
    expect(failure).toMatchObject({ code, message: expect.stringMatching(mend) })
    const job = await jobOf(room.roomId)
    expect(job).toMatchObject({ state: 'pending', attempts: 0, last_error_code: code, leased_by: null })
    expect(job.last_error_message).toMatch(mend)
    expect(job.due_at?.getTime()).toBeLessThanOrEqual(clock.now())
    expect(await runsOf(room.roomId)).toMatchObject([{ outcome: 'configuration', error_code: code }])
  })
})

describe('failures without an API answer are transient', () => {
  test.each([
    ['reset', { kind: 'reset' }, 'E_NETWORK'],
    ['a body that breaks off', { kind: 'truncate' }, 'E_NETWORK'],
    ['no answer', { kind: 'hang' }, 'E_TIMEOUT'],
    ['HTML', { kind: 'html' }, 'E_NOT_AN_API_ANSWER'],
    ['no JSON', { kind: 'not-json' }, 'E_NOT_AN_API_ANSWER'],
    ['other JSON', { kind: 'empty-json' }, 'E_NOT_AN_API_ANSWER'],
    ['HTTP 503', { kind: 'status', status: 503 }, 'E_HTTP_503'],
  ] as const)('%s', async (_, fault, code) => {
    const room = archive.school.addRoom({ members: 3 })
    archive.simulator.setFaults(() => fault)
    const report = await archive.archive(room.roomId, { requestTimeoutMs: 100 })
    archive.simulator.setFaults(undefined)
    expect(report).toMatchObject({ outcome: 'transient', state: 'pending', code })
    expect(await jobOf(room.roomId)).toMatchObject({ state: 'pending', attempts: 1, last_error_code: code })
  })
})

test('a room that is not ready is asked for as long as the caller waits, and archived once it is', async () => {
  const room = archive.school.addRoom({ members: 3, notReadyAnswers: 6 })
  const startedAt = clock.now()
  expect(await archive.archive(room.roomId, { waitMs: 120_000 })).toMatchObject({ outcome: 'archived', requests: 7 })
  expect(clock.now() - startedAt).toBeLessThan(60_000)

  const never = archive.school.addRoom({ members: 3, notReadyAnswers: 1000 })
  const askedAt = clock.now()
  expect(await archive.archive(never.roomId, { waitMs: 120_000 })).toMatchObject({ outcome: 'not_ready' })
  expect(clock.now() - askedAt).toBeGreaterThan(100_000)
  expect(clock.now() - askedAt).toBeLessThanOrEqual(120_000)
})

test('no retry begins that the deadline would cut off', async () => {
  const room = archive.school.addRoom({ members: 3, notReadyAnswers: 1000 })
  const deadline = clock.now() + 10_000
  expect(await archive.archive(room.roomId, { waitMs: 120_000, deadline })).toMatchObject({ outcome: 'not_ready' })
  expect(clock.now()).toBeLessThanOrEqual(deadline)
})

test('a room that is gone counts as missing only after four answers over a day; archived rooms stay archived', async () => {
  const room = archive.school.addRoom({ members: 3, fate: 'missing' })
  for (const hours of [0, 1, 6]) {
    clock.time += hours * 3_600_000
    expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'gone', state: 'pending' })
  }
  clock.time += 16 * 3_600_000
  expect(await archive.archive(room.roomId)).toMatchObject({ outcome: 'gone', state: 'pending' })
  clock.time += 3_600_000
  const report = await archive.archive(room.roomId)
  expect(report).toMatchObject({ outcome: 'gone', state: 'missing' })
  expect(report.message).toContain('counts as missing')

  const archived = archive.school.addRoom({ members: 3 })
  await archive.archive(archived.roomId)
  archived.fate = 'missing'
  expect(await archive.archive(archived.roomId)).toMatchObject({ outcome: 'gone', state: 'archived' })
  const { rowCount } = {
    rowCount: (
      await archive.db.selectFrom('archive.member_records').selectAll().where('room_id', '=', archived.roomId).execute()
    ).length,
  }
  expect(rowCount).toBe(3)
})

test('a room is asked for again at growing intervals since it first failed so', async () => {
  const room = archive.school.addRoom({ members: 3, notReadyAnswers: 1000 })
  const firstFailedAt = clock.now()
  const dueAfterS: number[] = []
  for (let attempt = 0; attempt < 10; attempt++) {
    await archive.archive(room.roomId)
    clock.time = (await jobOf(room.roomId)).due_at?.getTime() ?? 0
    dueAfterS.push((clock.time - firstFailedAt) / 1000)
  }
  const expected = [5, 20, 60, 120, 180, 240, 300, 480, 1080, 1200 + 45]
  expected.forEach((seconds, index) => {
    expect(dueAfterS[index]).toBeGreaterThanOrEqual(seconds)
    expect(dueAfterS[index]).toBeLessThanOrEqual(seconds + 30)
  })
})
