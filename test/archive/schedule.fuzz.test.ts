import fc from 'fast-check'
import { expect } from 'vitest'
import { type DeferralKind, dueInMs, retryDelayMs, schedule } from '../../lib/archive/schedule'
import type { JobPast } from '../../lib/db/settle-job'
import { always } from '../support/fuzz'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const kinds = Object.keys(schedule) as DeferralKind[]
const kind = fc.constantFrom(...kinds)
const ms = (most: number) =>
  fc.oneof(
    fc.integer({ min: 0, max: most }),
    fc.constantFrom(0, MINUTE, 20 * MINUTE, HOUR, DAY).filter((one) => one <= most),
  )
const never: JobPast = {
  archived: false,
  reason: null,
  reasonMs: 0,
  failingMs: 0,
  scheduledEndInMs: null,
  isEnded: false,
  endedMs: null,
  hinted: false,
}
const past: fc.Arbitrary<JobPast> = fc.record({
  archived: fc.boolean(),
  reason: fc.oneof(kind, fc.constant(null)),
  reasonMs: ms(30 * DAY),
  failingMs: ms(30 * DAY),
  // LCIC's clock may be ahead.
  endedMs: fc.option(fc.integer({ min: -10 * SECOND, max: 30 * DAY })),
  isEnded: fc.boolean(),
  scheduledEndInMs: fc.option(fc.integer({ min: -10 * DAY, max: 3 * DAY })),
  hinted: fc.boolean(),
})
const readiness = fc.option(
  fc.tuple(ms(DAY), ms(DAY)).map(([fromMs, lasts]) => ({ fromMs, toMs: fromMs + lasts })),
  { nil: undefined },
)

always(
  'in one process a room is asked for again after the delays of its kind, up to a fifth sooner, and never past what the caller waits',
  [kind, fc.integer({ min: 1, max: 60 }), ms(2 * HOUR), ms(2 * HOUR)],
  (of, failures, waitedMs, waitMs) => {
    const { inProcessMs, patient = false } = schedule[of]
    const delayMs = retryDelayMs(of, { failures, waitedMs, waitMs })
    const planned = inProcessMs[failures - 1] ?? (patient ? inProcessMs.at(-1) : undefined)
    const isOver = planned === undefined || (patient && waitedMs + planned > waitMs)
    expect(delayMs === undefined).toBe(isOver)
    if (delayMs === undefined || planned === undefined) return
    expect(Number.isInteger(delayMs)).toBe(true)
    expect(delayMs).toBeLessThanOrEqual(planned)
    expect(delayMs).toBeGreaterThanOrEqual(Math.floor(planned * 0.8))
    if (patient) expect(waitedMs + delayMs).toBeLessThanOrEqual(waitMs)
  },
)

always(
  'whoever keeps failing is put off sooner or later: no kind is asked for without end within a process',
  [kind, ms(2 * HOUR)],
  (of, waitMs) => {
    let waitedMs = 0
    let failures = 1
    for (; failures < 100_000; failures++) {
      const delayMs = retryDelayMs(of, { failures, waitedMs, waitMs })
      if (delayMs === undefined) break
      waitedMs += delayMs
    }
    expect(failures).toBeLessThan(100_000)
  },
)

always(
  'a room that was put off is due again in four seconds at the earliest, and within the bounds of its kind, or never where that is the plan',
  [kind, past, readiness],
  (of, before, ready) => {
    const { dueAfterMs, thenEveryMs } = schedule[of]
    const dueMs = dueInMs(of, before, ready)
    const waitedMs = before.reason === of ? before.reasonMs : 0
    if (dueMs === undefined) {
      expect(thenEveryMs).toBeUndefined()
      expect(waitedMs).toBeGreaterThanOrEqual(dueAfterMs.at(-1) ?? 0)
      return
    }
    if (of === 'configuration') return expect(dueMs).toBe(0)
    expect(dueMs).toBeGreaterThanOrEqual(4 * SECOND)
    const gaps = [...dueAfterMs, thenEveryMs ?? 0].map((after, index) =>
      index < dueAfterMs.length ? after - (dueAfterMs[index - 1] ?? 0) : after,
    )
    const plannedMs = of === 'not_ended' && !before.isEnded ? Math.max(before.scheduledEndInMs ?? 0, 0) : 0
    const mostMs = Math.max(...gaps, of === 'not_ready' ? HOUR + 45 * SECOND : 0, plannedMs + MINUTE)
    expect(dueMs).toBeLessThanOrEqual(mostMs + 40 * SECOND)
  },
  { cases: 1000 },
)

always(
  'a class that is planned to end is not asked for before; one that has ended is asked for as if nothing were planned',
  [past, fc.integer({ min: 1, max: 3 * DAY })],
  (before, scheduledEndInMs) => {
    const planned = dueInMs('not_ended', { ...before, scheduledEndInMs, isEnded: false })
    expect(planned).toBeGreaterThanOrEqual(scheduledEndInMs)
    const ended = dueInMs('not_ended', { ...before, scheduledEndInMs, isEnded: true })
    expect(ended).toBeLessThanOrEqual(HOUR + 40 * SECOND)
  },
)

always(
  'a room that is not ready is asked for at least every twenty minutes for six hours after its end, then once an hour; what others took only ever brings it forward',
  [past, readiness, fc.integer({ min: 0, max: 30 * DAY })],
  (before, ready, endedMs) => {
    const job = { ...before, reason: 'not_ready' as const, endedMs }
    const dueMs = dueInMs('not_ready', job, ready) ?? Number.POSITIVE_INFINITY
    expect(dueMs).toBeLessThanOrEqual((endedMs < 6 * HOUR ? 20 * MINUTE : HOUR) + (45 + 30) * SECOND)
  },
)

always(
  'where others became ready between two moments, a room is asked for a dozen times between, and no more than once a minute',
  [ms(DAY), fc.integer({ min: MINUTE, max: 6 * HOUR })],
  (fromMs, lastsMs) => {
    const ready = { fromMs, toMs: fromMs + lastsMs }
    // Long since not ready, and beyond the list: of the plan only its marks come between.
    let endedMs = Math.max(fromMs, 18 * MINUTE)
    let asked = 0
    while (endedMs < ready.toMs) {
      const dueMs = dueInMs(
        'not_ready',
        { ...never, reason: 'not_ready', reasonMs: 18 * MINUTE + endedMs, endedMs, isEnded: true },
        ready,
      )
      expect(dueMs).toBeGreaterThanOrEqual(4 * SECOND)
      endedMs += dueMs ?? Number.POSITIVE_INFINITY
      asked++
    }
    const left = Math.max(0, ready.toMs - Math.max(fromMs, 18 * MINUTE))
    expect(asked).toBeGreaterThanOrEqual(Math.floor(left / Math.max(MINUTE, lastsMs / 12)))
    // A dozen, and those that the marks add.
    expect(asked).toBeLessThanOrEqual(2 * 13 + 2 * Math.ceil(left / (20 * MINUTE)) + 2)
  },
)

always(
  'a room that fails on and on in the same way is due at the moments of its kind, each once, and none of them is left out',
  [
    fc.constantFrom<DeferralKind[]>(
      'transient',
      'unknown',
      'gone',
      'refused',
      'inconsistent',
      'rejected',
      'shrunk',
      'emptied',
      'throttled',
    ),
  ],
  (of) => {
    const { dueAfterMs, thenEveryMs } = schedule[of]
    let waitedMs = 0
    for (const afterMs of dueAfterMs) {
      const dueMs = dueInMs(of, { ...never, reason: of, reasonMs: waitedMs })
      expect(dueMs).toBeGreaterThanOrEqual(Math.floor(afterMs - waitedMs))
      expect(dueMs).toBeLessThanOrEqual(Math.ceil(Math.max((afterMs - waitedMs) * 1.2, 4 * SECOND)))
      waitedMs += dueMs ?? Number.NaN
    }
    const then = dueInMs(of, { ...never, reason: of, reasonMs: waitedMs })
    if (thenEveryMs === undefined) expect(then).toBeUndefined()
    else expect(then).toBeLessThanOrEqual(thenEveryMs + 30 * SECOND)
  },
)
