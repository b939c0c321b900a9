import { expect, test } from 'vitest'
import { dueInMs, missingAfter, REFUSALS_TO_STOP, retryDelayMs, schedule } from '../../lib/archive/schedule'
import type { JobPast } from '../../lib/db/settle-job'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const past: JobPast = {
  archived: false,
  reason: null,
  reasonMs: 0,
  failingMs: 0,
  scheduledEndInMs: null,
  isEnded: false,
  endedMs: null,
  hinted: false,
}
/** Due times are drawn up to half a minute, or a fifth, late. */
const expectDue = (ms: number | undefined, planned: number) => {
  expect(ms).toBeGreaterThanOrEqual(planned)
  expect(ms).toBeLessThanOrEqual(planned + Math.min(planned / 5, 30 * SECOND) + 1)
}

test('what follows from each kind of failure', () => {
  expect(schedule).toMatchInlineSnapshot(`
    {
      "configuration": {
        "costsAttempt": false,
        "dueAfterMs": [],
        "inProcessMs": [],
        "meaning": "LCIC refused the request",
        "next": "",
        "state": "pending",
        "thenEveryMs": 0,
      },
      "emptied": {
        "costsAttempt": false,
        "dueAfterMs": [
          3600000,
          21600000,
          86400000,
        ],
        "inProcessMs": [],
        "meaning": "the re-read lists nobody",
        "next": "The archive keeps what it has.",
        "state": "archived",
      },
      "expired": {
        "costsAttempt": true,
        "dueAfterMs": [],
        "inProcessMs": [],
        "meaning": "the room expired without a class, so there are no statistics",
        "next": "There is nothing to do.",
        "state": "expired",
      },
      "gone": {
        "costsAttempt": true,
        "dueAfterMs": [
          600000,
          3600000,
          25200000,
          90000000,
        ],
        "inProcessMs": [],
        "meaning": "LCIC says that there is no such room",
        "next": "Check its number, and that the credentials belong to its account. It will be asked again for a day before it counts as missing.",
        "state": "pending",
        "thenEveryMs": 43200000,
      },
      "inconsistent": {
        "costsAttempt": true,
        "dueAfterMs": [
          60000,
          360000,
          960000,
          2160000,
        ],
        "inProcessMs": [
          1000,
          2000,
        ],
        "meaning": "its pages contradict each other",
        "next": "It will be read again from the first page.",
        "state": "pending",
        "thenEveryMs": 1200000,
      },
      "not_ended": {
        "costsAttempt": true,
        "dueAfterMs": [
          300000,
          900000,
          2100000,
          3300000,
          4500000,
          5700000,
          6900000,
          8100000,
          9300000,
          10500000,
          11700000,
          12900000,
          14100000,
          15300000,
          16500000,
          17700000,
          18900000,
          20100000,
          21300000,
        ],
        "inProcessMs": [],
        "meaning": "the class is still going on",
        "next": "It will be asked again; statistics exist once it has ended.",
        "state": "pending",
        "thenEveryMs": 3600000,
      },
      "not_ready": {
        "costsAttempt": true,
        "dueAfterMs": [
          5000,
          20000,
          60000,
          120000,
          180000,
          240000,
          300000,
          480000,
          1080000,
        ],
        "inProcessMs": [
          1000,
          1500,
          2000,
          3000,
          5000,
          7000,
          10000,
          15000,
        ],
        "meaning": "LCIC is still computing its statistics",
        "next": "It will be asked again.",
        "patient": true,
        "state": "pending",
        "thenEveryMs": 1200000,
      },
      "refused": {
        "costsAttempt": true,
        "dueAfterMs": [
          600000,
          3600000,
        ],
        "inProcessMs": [],
        "meaning": "LCIC refuses the request for this room",
        "next": "Check its number. It will be asked again.",
        "state": "pending",
        "thenEveryMs": 21600000,
      },
      "rejected": {
        "costsAttempt": true,
        "dueAfterMs": [
          600000,
          3600000,
        ],
        "inProcessMs": [],
        "meaning": "what LCIC sent cannot be stored",
        "next": "Please report it with the code; the pages that were landed are kept.",
        "state": "pending",
        "thenEveryMs": 21600000,
      },
      "shrunk": {
        "costsAttempt": false,
        "dueAfterMs": [
          3600000,
          21600000,
          86400000,
        ],
        "inProcessMs": [],
        "meaning": "the re-read lacks members that the archive has",
        "next": "It is read again in an hour to confirm: a second read that says the same marks them as removed.",
        "state": "archived",
      },
      "throttled": {
        "costsAttempt": false,
        "dueAfterMs": [],
        "inProcessMs": [
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
        ],
        "meaning": "LCIC was asked more often than it allows",
        "next": "All requests were slowed down; lower LCIC_REQUESTS_PER_SECOND if other programs use the same account.",
        "state": "pending",
        "thenEveryMs": 60000,
      },
      "transient": {
        "costsAttempt": true,
        "dueAfterMs": [
          60000,
          180000,
          420000,
          900000,
          1860000,
          3780000,
        ],
        "inProcessMs": [
          500,
          1000,
          2000,
          4000,
        ],
        "meaning": "LCIC gave no usable answer",
        "next": "It will be asked again.",
        "state": "pending",
        "thenEveryMs": 3600000,
      },
      "unknown": {
        "costsAttempt": true,
        "dueAfterMs": [
          60000,
          180000,
          420000,
          900000,
          1860000,
          3780000,
        ],
        "inProcessMs": [
          500,
          1000,
          2000,
          4000,
        ],
        "meaning": "LCIC answered with a code that is not documented",
        "next": "It will be asked again; please report the code.",
        "state": "pending",
        "thenEveryMs": 3600000,
      },
    }
  `)
  expect([REFUSALS_TO_STOP, missingAfter]).toEqual([3, { answers: 4, spanMs: 24 * HOUR }])
})

test('a class in progress is asked for after it is planned to end, and where nothing is planned as often as it has gone on', () => {
  // A minute, spread, lets LCIC learn it.
  const planned = dueInMs('not_ended', { ...past, scheduledEndInMs: 7 * HOUR })
  expect(planned).toBeGreaterThanOrEqual(7 * HOUR + MINUTE)
  expect(planned).toBeLessThanOrEqual(7 * HOUR + 72 * SECOND)
  expectDue(dueInMs('not_ended', past), 5 * MINUTE)
  expectDue(dueInMs('not_ended', { ...past, reason: 'not_ended', reasonMs: 16 * MINUTE }), 19 * MINUTE)
  // Another reason says nothing of this one.
  expectDue(dueInMs('not_ended', { ...past, reason: 'transient', reasonMs: 16 * MINUTE }), 5 * MINUTE)
  // Known to be over, or planned to be: LCIC is about to learn it, however long it has gone on.
  const gone = { ...past, reason: 'not_ended' as const, reasonMs: 5 * HOUR }
  expectDue(dueInMs('not_ended', { ...gone, scheduledEndInMs: HOUR, isEnded: true, endedMs: 6 * MINUTE }), 9 * MINUTE)
  expectDue(dueInMs('not_ended', { ...gone, scheduledEndInMs: -6 * MINUTE }), 9 * MINUTE)
  expectDue(dueInMs('not_ended', { ...gone, scheduledEndInMs: 0 }), 5 * MINUTE)
  expectDue(dueInMs('not_ended', { ...gone, scheduledEndInMs: HOUR, isEnded: true }), 15 * MINUTE)
})

test('a room that is not ready is asked for after its list at marks, each third of an hour after its end and then each hour', () => {
  expectDue(dueInMs('not_ready', past), 5 * SECOND)
  const long = { ...past, reason: 'not_ready' as const, reasonMs: 18 * MINUTE }
  expectDue(dueInMs('not_ready', { ...long, endedMs: 30 * MINUTE }), 10 * MINUTE + 45 * SECOND)
  expectDue(dueInMs('not_ready', { ...long, endedMs: 6 * HOUR - 1 }), 45 * SECOND)
  expectDue(dueInMs('not_ready', { ...long, endedMs: 6 * HOUR + MINUTE }), 59 * MINUTE + 45 * SECOND)
  expectDue(dueInMs('not_ready', { ...long, reasonMs: 18 * MINUTE - 1, endedMs: 5 * HOUR }), 4 * SECOND)
  // Where its end is not known, by how long it has not been.
  expectDue(dueInMs('not_ready', { ...long, reasonMs: 30 * MINUTE }), 10 * MINUTE + 45 * SECOND)
})

test('where others became ready, it is asked for then, a dozen times at most and once a minute, and no more once that is over', () => {
  const long = { ...past, reason: 'not_ready' as const, reasonMs: 2 * HOUR }
  const due = (endedMs: number, fromMs: number, toMs: number) =>
    dueInMs('not_ready', { ...long, endedMs }, { fromMs, toMs }) ?? Number.NaN
  // The next mark is at 2:20:45.
  const at = 2 * HOUR + 2 * MINUTE
  expect(due(at, at + 3 * MINUTE, at + HOUR)).toBe(3 * MINUTE)
  expect(due(at, at + MINUTE, at + MINUTE + 2 * HOUR)).toBe(5 * MINUTE)
  expect(due(at, at + MINUTE, at + 2 * MINUTE)).toBe(MINUTE)
  expect(due(at, at, at + HOUR)).toBe(5 * MINUTE)
  expect(due(at, at + 1, at + 1)).toBe(MINUTE / 2)
  expect(due(at, at - MINUTE, at + 11 * MINUTE)).toBe(MINUTE)
  expect(due(at, at - 90 * SECOND, at + 10 * MINUTE)).toBe(30 * SECOND)
  expect(due(at, at - 115 * SECOND, at + 10 * MINUTE)).toBe(30 * SECOND)
  expect(due(at, at - HOUR, at - 30 * SECOND)).toBe(267.5 * SECOND)
  expectDue(due(at, at - HOUR, at - 5 * MINUTE), 18 * MINUTE + 45 * SECOND)
  expectDue(due(at, at - 13 * MINUTE, at - MINUTE), 18 * MINUTE + 45 * SECOND)
  expectDue(due(at, at + HOUR, at + 2 * HOUR), 18 * MINUTE + 45 * SECOND)
  // Whose end is not known has none to count from.
  for (const fromMs of [5 * SECOND, 2.5 * HOUR])
    expectDue(dueInMs('not_ready', { ...long, endedMs: null }, { fromMs, toMs: fromMs + SECOND }), 45 * SECOND)
})

test('what goes on beyond the list is due again and again, counted from its end', () => {
  const due = (kind: 'inconsistent' | 'transient', minutes: number) =>
    dueInMs(kind, { ...past, reason: kind, reasonMs: minutes * MINUTE })
  expectDue(due('inconsistent', 36), 20 * MINUTE)
  expectDue(due('inconsistent', 40), 16 * MINUTE)
  expectDue(due('inconsistent', 57), 19 * MINUTE)
  expectDue(due('transient', 73), 50 * MINUTE)
})

test('a mark that is about to pass is not within seconds', () => {
  const long = { ...past, reason: 'transient' as const }
  expect(dueInMs('transient', { ...long, reasonMs: MINUTE - 1 })).toBe(4 * SECOND)
  expectDue(dueInMs('transient', { ...long, reasonMs: MINUTE }), 2 * MINUTE)
  expectDue(dueInMs('transient', { ...long, reasonMs: 63 * MINUTE + 30 * MINUTE }), 30 * MINUTE)
  expectDue(dueInMs('shrunk', { ...past, reason: 'shrunk', reasonMs: 23 * HOUR }), HOUR)
  expect(dueInMs('shrunk', { ...past, reason: 'shrunk', reasonMs: 24 * HOUR })).toBeUndefined()
  expect(dueInMs('configuration', past)).toBe(0)
  expect(dueInMs('expired', past)).toBeUndefined()
})

test('what is drawn is spread over a fifth, and half a minute at most', () => {
  const drawn = Array.from({ length: 300 }, () => dueInMs('transient', past) ?? Number.NaN)
  expect(Math.min(...drawn)).toBeLessThan(61.5 * SECOND)
  expect(Math.max(...drawn)).toBeGreaterThan(70.5 * SECOND)
  expect(Math.max(...drawn)).toBeLessThanOrEqual(72 * SECOND)
  const far = Array.from(
    { length: 300 },
    () => dueInMs('refused', { ...past, reason: 'refused', reasonMs: HOUR }) ?? Number.NaN,
  )
  expect(Math.max(...far)).toBeGreaterThan(6 * HOUR + 28 * SECOND)
  expect(Math.max(...far)).toBeLessThanOrEqual(6 * HOUR + 30 * SECOND)
  const delays = Array.from(
    { length: 300 },
    () => retryDelayMs('transient', { failures: 4, waitedMs: 0, waitMs: 0 }) ?? 0,
  )
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(3200)
  expect(Math.min(...delays)).toBeLessThan(3260)
  expect(Math.max(...delays)).toBeGreaterThan(3940)
  expect(Math.max(...delays)).toBeLessThanOrEqual(4000)
})

test('whoever waits is asked for on and on while there is time, and to its last moment', () => {
  const delay = (failures: number, waitedMs: number, waitMs: number) =>
    retryDelayMs('not_ready', { failures, waitedMs, waitMs })
  expect(delay(1, 0, SECOND)).toBeGreaterThanOrEqual(800)
  expect(delay(1, 1, SECOND)).toBeUndefined()
  expect(delay(100, 0, 15 * SECOND)).toBeGreaterThanOrEqual(12 * SECOND)
  expect(delay(100, 1, 15 * SECOND)).toBeUndefined()
  expect(retryDelayMs('transient', { failures: 5, waitedMs: 0, waitMs: HOUR })).toBeUndefined()
  expect(retryDelayMs('throttled', { failures: 20, waitedMs: HOUR, waitMs: 0 })).toBe(0)
  expect(retryDelayMs('throttled', { failures: 21, waitedMs: 0, waitMs: 0 })).toBeUndefined()
  expect(retryDelayMs('not_ended', { failures: 1, waitedMs: 0, waitMs: HOUR })).toBeUndefined()
})
