import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import type { Database } from '../../lib/db/tables'
import type { RequestLogEntry, SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { findCallbackTrouble } from './checks/callbacks'
import { findHalfRooms } from './checks/half-rooms'
import { findMemoryTrouble, type MemorySample, MOST_MB } from './checks/memory'
import { findDoubled } from './checks/once'
import { findOverLimit, refusals } from './checks/pace'
import { findDifferences } from './checks/source'
import type { Violation } from './checks/violation'
import { findInvisibleErrors } from './checks/visible-errors'
import { judgeEnd } from './checks/worker-ends'
import { findUnsettled } from './settle'
import type { ProcessEnd } from './worker'

describe('of an archive that is as it should be no check says anything, and each says what was tampered with', () => {
  let archive: TestArchive
  let room: SimulatedRoom
  let empty: SimulatedRoom
  let missing: SimulatedRoom
  beforeAll(async () => {
    archive = await openTestArchive({ frozen: true })
    const { school } = archive
    room = school.addRoom({ members: 1001 })
    empty = school.addRoom({ members: 0 })
    missing = school.addRoom({ fate: 'missing' })
    for (const { roomId } of [room, empty, missing]) await archive.archive(roomId)
  })
  afterAll(() => archive.close())

  const checks = {
    'half room': findHalfRooms,
    source: (db: Kysely<Database>) => findDifferences(db, archive.school),
    once: (db: Kysely<Database>) => findDoubled(db, new Map()),
    errors: (db: Kysely<Database>) => findInvisibleErrors(db, new Map()),
    settled: (db: Kysely<Database>) => findUnsettled(db, [room.roomId, empty.roomId]),
    callbacks: (db: Kysely<Database>) =>
      findCallbackTrouble(db, [{ kind: 'wrong key', roomId: 990_000_000n, status: 401 }]),
  } as const

  test.each(Object.entries(checks))('%s: nothing', async (_, check) => {
    expect(await check(archive.db)).toEqual([])
  })

  const members = () => sql`archive.member_records where room_id = ${room.roomId}`
  test.each<[keyof typeof checks, string, () => ReturnType<typeof sql>]>([
    ['half room', 'has 1000 members', () => sql`delete from ${members()} and user_id = ${userId()}`],
    [
      'half room',
      'has 1000 members',
      () => sql`update archive.member_records set removed_at = now() where user_id = ${userId()}`,
    ],
    [
      'half room',
      'its job is pending',
      () => sql`update archive.jobs set state = 'pending' where room_id = ${room.roomId}`,
    ],
    ['half room', 'it is not there', () => sql`delete from archive.rooms where room_id = ${empty.roomId}`],
    ['half room', 'its job is not there', () => sql`delete from archive.jobs where room_id = ${empty.roomId}`],
    ['source', 'are not archived', () => sql`delete from archive.rooms where room_id = ${room.roomId}`],
    ['source', 'a member is missing', () => sql`delete from ${members()} and user_id = ${userId()}`],
    [
      'source',
      'column hand_ups',
      () => sql`update archive.member_records set hand_ups = 99 where user_id = ${userId()}`,
    ],
    [
      'source',
      'column extra',
      () => sql`update archive.member_records set extra = '{"a": 1}' where user_id = ${userId()}`,
    ],
    [
      'source',
      'members are not the source',
      () => sql`
      insert into archive.member_records (room_id, user_id, extra, archived_at, changed_at)
      values (${room.roomId}, 'nobody', '{}', now(), now())`,
    ],
    [
      'source',
      'column message_count',
      () => sql`update archive.rooms set message_count = -1 where room_id = ${empty.roomId}`,
    ],
    [
      'source',
      'it is missing, and yet archived',
      () => sql`update archive.rooms set room_id = ${missing.roomId} where room_id = ${empty.roomId}`,
    ],
    [
      'source',
      'LCIC knows no such room',
      () => sql`update archive.rooms set room_id = 7 where room_id = ${empty.roomId}`,
    ],
    [
      'once',
      '2 runs archived it',
      () => sql`
      insert into archive.runs (room_id, attempt, started_at, finished_at, outcome)
      values (${room.roomId}, 9, now(), now(), 'archived')`,
    ],
    ['once', '0 runs archived it', () => sql`delete from archive.runs where room_id = ${room.roomId}`],
    ['once', 'of revision 2', () => sql`update archive.rooms set revision = 2 where room_id = ${room.roomId}`],
    [
      'once',
      'inserted 1002 members',
      () => sql`update archive.runs set inserted = 1002 where room_id = ${room.roomId}`,
    ],
    [
      'once',
      'raw pages hold 1000 records',
      () => sql`delete from archive.raw_pages where room_id = ${room.roomId} and page = 2`,
    ],
    [
      'errors',
      'was never closed',
      () => sql`update archive.runs set outcome = null, finished_at = null where room_id = ${room.roomId}`,
    ],
    [
      'errors',
      'does not say why',
      () => sql`update archive.runs set error_message = null where room_id = ${missing.roomId}`,
    ],
    [
      'errors',
      'is rejected',
      () => sql`update archive.runs set outcome = 'rejected' where room_id = ${missing.roomId}`,
    ],
    [
      'errors',
      'is throttled',
      () => sql`update archive.runs set outcome = 'throttled' where room_id = ${missing.roomId}`,
    ],
    ['errors', 'is still held', () => sql`update archive.jobs set leased_by = 'x' where room_id = ${room.roomId}`],
    ['errors', 'given up', () => sql`update archive.jobs set state = 'failed' where room_id = ${room.roomId}`],
    ['errors', 'keeps an error', () => sql`update archive.jobs set attempts = 1 where room_id = ${room.roomId}`],
    [
      'errors',
      'its job is pending, and',
      () => sql`update archive.jobs set last_error_code = null where room_id = ${missing.roomId}`,
    ],
    ['settled', 'job is pending', () => sql`update archive.jobs set state = 'pending' where room_id = ${room.roomId}`],
    ['settled', 'job is not there', () => sql`delete from archive.jobs where room_id = ${room.roomId}`],
    ['settled', 'held by x', () => sql`update archive.jobs set leased_by = 'x' where room_id = ${missing.roomId}`],
    [
      'callbacks',
      'left something behind',
      () => sql`
      insert into archive.callbacks (received_at, event_type, room_id, body)
      values (now(), 'RoomEnd', 990000000, '{}')`,
    ],
  ])('%s: %s', async (check, said, tampering) => {
    const found = await afterTampering(archive.db, tampering(), checks[check])
    expect(found.map(({ what }) => what).join('\n')).toContain(said)
  })

  test('callbacks: one that was taken and is gone, one that left a job, and one that was believed', async () => {
    const { db } = archive
    expect(await findCallbackTrouble(db, [{ kind: 'true', roomId: 5n, status: 200 }])).toHaveLength(1)
    expect(await findCallbackTrouble(db, [{ kind: 'true', roomId: 5n }])).toEqual([])
    expect(await findCallbackTrouble(db, [{ kind: 'unsigned', roomId: 990_000_000n, status: 200 }])).toHaveLength(1)
    const hint = { hints: [{ roomId: 990_000_000n }], hintedBy: 'callback', now: databaseTime } as const
    await expect(
      db.transaction().execute(async (tx) => {
        await hintRooms(tx, hint)
        throw new Found(await checks.callbacks(tx))
      }),
    ).rejects.toMatchObject({ violations: [{ check: 'forged callback' }] })
  })

  function userId(): string {
    return room.members[500]?.UserId ?? ''
  }
})

class Found extends Error {
  constructor(readonly violations: readonly Violation[]) {
    super()
  }
}

/** What a check says of an archive that was tampered with; which is then undone. */
async function afterTampering(
  db: Kysely<Database>,
  tampering: ReturnType<typeof sql>,
  check: (db: Kysely<Database>) => Promise<readonly Violation[]>,
): Promise<readonly Violation[]> {
  try {
    return await db.transaction().execute(async (tx) => {
      const { numAffectedRows = 0n } = await tampering.execute(tx)
      expect(numAffectedRows).toBeGreaterThan(0n)
      throw new Found(await check(tx))
    })
  } catch (error) {
    if (error instanceof Found) return error.violations
    throw error
  }
}

describe('pace', () => {
  const requests = (count: number, changes: Partial<RequestLogEntry> = {}) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ sequence: index + 1, arrivedAtMs: (index * 999) / 20, action: 'DescribeRoomStatistics', outcome: 'OK' },
      ...{ requestId: '', ...changes },
    }))

  test('20 requests in a second are allowed, the 21st is not', () => {
    expect(findOverLimit(requests(20))).toEqual([])
    expect(findOverLimit(requests(21))).toMatchObject([
      { check: 'over the limit', what: expect.stringContaining('21 ') },
    ])
  })

  test('what was refused for pace is no violation, and is counted; what a fault refused was admitted', () => {
    const refused = { outcome: 'RequestLimitExceeded' }
    expect(findOverLimit([...requests(20), ...requests(5, refused)])).toEqual([])
    expect(refusals(requests(5, refused))).toHaveLength(5)
    expect(findOverLimit(requests(21, { ...refused, fault: 'error' }))).toHaveLength(1)
    expect(refusals(requests(5, { ...refused, fault: 'error' }))).toEqual([])
  })

  test('where many are refused, it is no jitter', () => {
    expect(findOverLimit(requests(9, { outcome: 'RequestLimitExceeded' }))).toHaveLength(1)
  })
})

describe('ends of processes', () => {
  const end: ProcessEnd = {
    ...{ name: 'worker-0', pid: 7, exitCode: 0, signal: null, wasKilled: false, wasTold: true, logFile: '' },
  }
  const itself = { ...end, wasTold: false }

  test.each([
    ['told to stop', end, ''],
    ['killed from here', { ...itself, wasKilled: true, exitCode: null, signal: 'SIGKILL' }, ''],
    ['no database at its start', { ...itself, exitCode: 3 }, 'lcic-archive: … [E_DATABASE_UNREACHABLE]'],
    ['a clock that is far off', { ...itself, exitCode: 2 }, 'lcic-archive: … [AuthFailure.SignatureExpire]'],
  ] as const)('%s: as documented', (_, ended, log) => {
    expect(judgeEnd(ended, log)).toEqual([])
  })

  test.each([
    ['by itself', itself, ''],
    ['by the system', { ...itself, exitCode: null, signal: 'SIGKILL' }, ''],
    ['with an error', { ...end, exitCode: 1 }, ''],
    ['late, after it was told', { ...end, exitCode: 130 }, ''],
    ['for want of memory', { ...itself, exitCode: null, signal: 'SIGABRT' }, ''],
    ['with a stack', end, 'lcic-archive: Error: x\n    at work (/dist/lcic-archive.cjs:1:1)'],
    ['after an unexpected error', end, '{"level":50,"msg":"unexpected error"}'],
  ] as const)('%s: a violation', (_, ended, log) => {
    expect(judgeEnd(ended, log)).toMatchObject([{ check: 'worker ended' }])
  })
})

describe('memory', () => {
  const life = (sizeAt: (second: number) => number): MemorySample[] =>
    Array.from({ length: 60 }, (_, second) => ({
      ...{ name: 'worker-0', pid: 7, atMs: second * 1000 },
      ...{ residentMb: sizeAt(second), peakMb: sizeAt(second) },
    }))

  test('one that stays where it is is fine; one that takes too much, or ever more, is not', () => {
    expect(findMemoryTrouble(life((second) => 80 + (second % 10)))).toEqual([])
    expect(findMemoryTrouble(life((second) => (second === 5 ? MOST_MB + 1 : 80)))).toHaveLength(1)
    expect(findMemoryTrouble(life((second) => 20 + 1.6 * second))).toHaveLength(1)
  })
})
