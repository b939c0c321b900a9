import type { Readiness } from '../db/recent-readiness'
import type { JobPast } from '../db/settle-job'
import type { JobState } from '../db/tables'
import type { FailureKind } from '../lcic/errors'

/** Why a room could not be archived now: a failed request, or pages that the archive must not take. */
export type DeferralKind = FailureKind | 'refused' | 'inconsistent' | 'shrunk' | 'emptied' | 'rejected'

/** What follows from each kind of failure. All of it stands here and nowhere else. */
export interface Plan {
  /** The job's state afterwards, if the room was never archived. */
  readonly state: JobState
  /** Whether the failure counts against the room: it is given up if it goes on for too long. */
  readonly costsAttempt: boolean
  /** Delays before asking again within the same process; the last one repeats while there is time, if `patient`. */
  readonly inProcessMs: readonly number[]
  /** Ask on for as long as the caller is willing to wait (`--wait`). */
  readonly patient?: boolean
  /** When the room is due again, counted from when it first failed so. */
  readonly dueAfterMs: readonly number[]
  /** And how often from then on; absent: no more. */
  readonly thenEveryMs?: number
  /** What it means, and what happens next or is to be done; completes "Room 1: …". */
  readonly meaning: string
  readonly next: string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

// Stryker disable next-line ArrowFunction: without it this file cannot be read, and no test begins that could fail.
const minutes = (...counts: number[]): number[] => counts.map((count) => count * MINUTE)

export const schedule: Readonly<Record<DeferralKind, Plan>> = {
  not_ready: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [1, 1.5, 2, 3, 5, 7, 10, 15].map((seconds) => seconds * SECOND),
    patient: true,
    // Each minute, so that whatever takes up to five is archived within a minute of being ready; from the end of the list
    // on the marks of `readinessMarkMs` are kept.
    dueAfterMs: [5 * SECOND, 20 * SECOND, ...minutes(1, 2, 3, 4, 5, 8, 18)],
    thenEveryMs: 20 * MINUTE,
    meaning: 'LCIC is still computing its statistics',
    next: 'It will be asked again.',
  },
  not_ended: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    // Every 20 minutes up to six hours.
    dueAfterMs: minutes(5, 15, ...Array.from({ length: 17 }, (_, turn) => 35 + 20 * turn)),
    thenEveryMs: HOUR,
    meaning: 'the class is still going on',
    next: 'It will be asked again; statistics exist once it has ended.',
  },
  throttled: {
    state: 'pending',
    costsAttempt: false,
    // No delay of its own: the whole budget is pushed back, and the next slot is the delay.
    inProcessMs: Array(20).fill(0),
    dueAfterMs: [],
    thenEveryMs: MINUTE,
    meaning: 'LCIC was asked more often than it allows',
    next: 'All requests were slowed down; lower LCIC_REQUESTS_PER_SECOND if other programs use the same account.',
  },
  transient: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [0.5, 1, 2, 4].map((seconds) => seconds * SECOND),
    dueAfterMs: minutes(1, 3, 7, 15, 31, 63),
    thenEveryMs: HOUR,
    meaning: 'LCIC gave no usable answer',
    next: 'It will be asked again.',
  },
  unknown: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [0.5, 1, 2, 4].map((seconds) => seconds * SECOND),
    dueAfterMs: minutes(1, 3, 7, 15, 31, 63),
    thenEveryMs: HOUR,
    meaning: 'LCIC answered with a code that is not documented',
    next: 'It will be asked again; please report the code.',
  },
  gone: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueAfterMs: [10 * MINUTE, HOUR, 7 * HOUR, 25 * HOUR],
    thenEveryMs: 12 * HOUR,
    meaning: 'LCIC says that there is no such room',
    next: 'Check its number, and that the credentials belong to its account. It will be asked again for a day before it counts as missing.',
  },
  expired: {
    state: 'expired',
    costsAttempt: true,
    inProcessMs: [],
    dueAfterMs: [],
    meaning: 'the room expired without a class, so there are no statistics',
    next: 'There is nothing to do.',
  },
  configuration: {
    state: 'pending',
    costsAttempt: false,
    inProcessMs: [],
    // The run stops; the room is due as it was.
    dueAfterMs: [],
    thenEveryMs: 0,
    meaning: 'LCIC refused the request',
    // The mend depends on the code.
    next: '',
  },
  refused: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueAfterMs: [10 * MINUTE, HOUR],
    thenEveryMs: 6 * HOUR,
    meaning: 'LCIC refuses the request for this room',
    next: 'Check its number. It will be asked again.',
  },
  inconsistent: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [SECOND, 2 * SECOND],
    dueAfterMs: minutes(1, 6, 16, 36),
    thenEveryMs: 20 * MINUTE,
    meaning: 'its pages contradict each other',
    next: 'It will be read again from the first page.',
  },
  rejected: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueAfterMs: [10 * MINUTE, HOUR],
    thenEveryMs: 6 * HOUR,
    meaning: 'what LCIC sent cannot be stored',
    next: 'Please report it with the code; the pages that were landed are kept.',
  },
  shrunk: {
    state: 'archived',
    costsAttempt: false,
    inProcessMs: [],
    dueAfterMs: [HOUR, 6 * HOUR, 24 * HOUR],
    meaning: 'the re-read lacks members that the archive has',
    next: 'It is read again in an hour to confirm: a second read that says the same marks them as removed.',
  },
  emptied: {
    state: 'archived',
    costsAttempt: false,
    inProcessMs: [],
    dueAfterMs: [HOUR, 6 * HOUR, 24 * HOUR],
    meaning: 'the re-read lists nobody',
    next: 'The archive keeps what it has.',
  },
}

/** So many different rooms refused for the first time, one after the other, and it is no room's fault. */
export const REFUSALS_TO_STOP = 3

/** A room counts as missing once LCIC has said so this often, over this long: vendors say it of rooms that exist, too. */
export const missingAfter = { answers: 4, spanMs: 24 * HOUR }

/**
 * The delay before the request is sent again in this process, or `undefined` when it is time to put the room off.
 *
 * @param failures failures of this kind so far, this one included
 * @param waitedMs since the first of them
 * @param waitMs how long the caller is willing to wait for statistics that are being computed
 */
export function retryDelayMs(
  kind: DeferralKind,
  { failures, waitedMs, waitMs }: { failures: number; waitedMs: number; waitMs: number },
): number | undefined {
  const { inProcessMs, patient = false } = schedule[kind]
  const delayMs = inProcessMs[patient ? Math.min(failures, inProcessMs.length) - 1 : failures - 1]
  if (delayMs === undefined || (patient && waitedMs + delayMs > waitMs)) return undefined
  return Math.round(delayMs * (1 - Math.random() / 5))
}

/**
 * How long until a job that failed just now is due again; `undefined`: not again.
 *
 * A class that has not ended is not asked for before it is planned to end. One that is not ready is asked for more often
 * around the time after its end at which others became ready lately.
 */
export function dueInMs(kind: DeferralKind, past: JobPast, readiness?: Readiness): number | undefined {
  const waitedMs = past.reason === kind ? past.reasonMs : 0
  if (kind === 'not_ended') {
    const { isEnded, endedMs, scheduledEndInMs } = past
    // Stryker disable next-line ConditionalExpression: null is not above 0.
    const isPlanned = scheduledEndInMs !== null && scheduledEndInMs > 0
    // Where it is known to have ended, LCIC is about to learn it, too.
    if (isPlanned && !isEnded) return scheduledEndInMs + spread(MINUTE)
    const overMs = endedMs ?? (isPlanned || scheduledEndInMs === null ? waitedMs : -scheduledEndInMs)
    return nextOf(schedule[kind], Math.min(waitedMs, overMs))
  }
  if (kind === 'not_ready') {
    const isEarly = waitedMs < (schedule[kind].dueAfterMs.at(-1) ?? 0)
    const regularMs = isEarly ? nextOf(schedule[kind], waitedMs) : readinessMarkMs(past.endedMs ?? waitedMs)
    const likelyMs = past.endedMs === null || !readiness ? undefined : likelyReadyMs(past.endedMs, readiness)
    return Math.min(regularMs ?? Number.POSITIVE_INFINITY, likelyMs ?? Number.POSITIVE_INFINITY)
  }
  return nextOf(schedule[kind], waitedMs)
}

function nextOf({ dueAfterMs, thenEveryMs }: Plan, waitedMs: number): number | undefined {
  const last = dueAfterMs.at(-1) ?? 0
  const planned = dueAfterMs.find((afterMs) => afterMs > waitedMs)
  if (planned !== undefined) return spread(planned - waitedMs)
  if (thenEveryMs === undefined) return undefined
  if (thenEveryMs === 0) return 0
  return spread(thenEveryMs - ((waitedMs - last) % thenEveryMs))
}

/**
 * Statistics that take long are most likely made by a job that runs by the clock: a class that ended is asked for shortly
 * after each third of an hour since, and after six hours once an hour.
 */
function readinessMarkMs(endedMs: number): number {
  // Stryker disable next-line EqualityOperator: six hours to the millisecond are on both marks.
  const everyMs = endedMs < 6 * HOUR ? 20 * MINUTE : HOUR
  const afterMs = 45 * SECOND
  return spread(everyMs - ((endedMs - afterMs) % everyMs))
}

/** A dozen tries over the time in which others became ready, no more than one a minute. */
function likelyReadyMs(endedMs: number, { fromMs, toMs }: Readiness): number | undefined {
  const everyMs = Math.max(MINUTE, (toMs - fromMs) / 12)
  // One that is asked for a moment too early is not asked for again a moment later.
  const leastMs = everyMs / 2
  if (endedMs < fromMs) return Math.max(fromMs - endedMs, leastMs)
  return endedMs < toMs + everyMs ? Math.max(everyMs - ((endedMs - fromMs) % everyMs), leastMs) : undefined
}

/**
 * Up to half a minute or a fifth later, so that rooms that failed together are not asked for together again; and not
 * within seconds of now, when a mark is about to pass.
 */
function spread(delayMs: number): number {
  return Math.round(Math.max(delayMs + Math.random() * Math.min(delayMs / 5, 30 * SECOND), 4 * SECOND))
}
