import type { JobState } from '../db/tables'
import type { FailureKind } from '../lcic/errors'

/** Why a room could not be archived now: a failed request, or pages that the archive must not take. */
export type DeferralKind = FailureKind | 'inconsistent' | 'shrunk' | 'emptied' | 'rejected'

/** What follows from each kind of failure. All of it stands here and nowhere else. */
export interface Plan {
  /** The job's state afterwards, if the room was never archived. */
  readonly state: JobState
  /** Whether the failure counts against the room. */
  readonly costsAttempt: boolean
  /** Delays before asking again within the same process; the last one repeats while there is time, if `patient`. */
  readonly inProcessMs: readonly number[]
  /** Ask on for as long as the caller is willing to wait (`--wait`). */
  readonly patient?: boolean
  /** Delays until the job is due again, by the attempts it has cost; the last one repeats. */
  readonly dueMs: readonly number[]
  /** What it means, and what happens next or is to be done; completes "Room 1: …". */
  readonly meaning: string
  readonly next: string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

export const schedule: Readonly<Record<DeferralKind, Plan>> = {
  not_ready: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [1, 1.5, 2, 3, 5, 7, 10, 15].map((seconds) => seconds * SECOND),
    patient: true,
    dueMs: [1, 2, 5, 10, 20].map((minutes) => minutes * MINUTE),
    meaning: 'LCIC is still computing its statistics',
    next: 'It will be asked again.',
  },
  not_ended: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueMs: [5, 10, 20].map((minutes) => minutes * MINUTE),
    meaning: 'the class is still going on',
    next: 'It will be asked again; statistics exist once it has ended.',
  },
  throttled: {
    state: 'pending',
    costsAttempt: false,
    // No delay of its own: the whole budget is pushed back, and the next slot is the delay.
    inProcessMs: Array(20).fill(0),
    dueMs: [MINUTE],
    meaning: 'LCIC was asked more often than it allows',
    next: 'All requests were slowed down; lower LCIC_REQUESTS_PER_SECOND if other programs use the same account.',
  },
  transient: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [0.5, 1, 2, 4].map((seconds) => seconds * SECOND),
    dueMs: [1, 2, 4, 8, 16, 32, 60].map((minutes) => minutes * MINUTE),
    meaning: 'LCIC gave no usable answer',
    next: 'It will be asked again.',
  },
  unknown: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [0.5, 1, 2, 4].map((seconds) => seconds * SECOND),
    dueMs: [1, 2, 4, 8, 16, 32, 60].map((minutes) => minutes * MINUTE),
    meaning: 'LCIC answered with a code that is not documented',
    next: 'It will be asked again; please report the code.',
  },
  gone: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueMs: [10 * MINUTE, HOUR, 6 * HOUR, 18 * HOUR],
    meaning: 'LCIC says that there is no such room',
    next: 'Check its number, and that the credentials belong to its account. It will be asked again for a day before it counts as missing.',
  },
  expired: {
    state: 'expired',
    costsAttempt: true,
    inProcessMs: [],
    dueMs: [0],
    meaning: 'the room expired without a class, so there are no statistics',
    next: 'There is nothing to do.',
  },
  configuration: {
    state: 'pending',
    costsAttempt: false,
    inProcessMs: [],
    dueMs: [0],
    meaning: 'LCIC refused the request',
    // The mend depends on the code.
    next: '',
  },
  inconsistent: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [SECOND, 2 * SECOND],
    dueMs: [1, 5, 10, 20].map((minutes) => minutes * MINUTE),
    meaning: 'its pages contradict each other',
    next: 'It will be read again from the first page.',
  },
  rejected: {
    state: 'pending',
    costsAttempt: true,
    inProcessMs: [],
    dueMs: [10 * MINUTE, HOUR, 6 * HOUR],
    meaning: 'what LCIC sent cannot be stored',
    next: 'Please report it with the code; the pages that were landed are kept.',
  },
  shrunk: {
    state: 'archived',
    costsAttempt: false,
    inProcessMs: [],
    dueMs: [HOUR],
    meaning: 'the re-read lacks members that the archive has',
    next: 'Archive it again to confirm: a second read that says the same marks them as removed.',
  },
  emptied: {
    state: 'archived',
    costsAttempt: false,
    inProcessMs: [],
    dueMs: [HOUR],
    meaning: 'the re-read lists nobody',
    next: 'The archive keeps what it has.',
  },
}

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
  return jittered(delayMs)
}

/** The delay until a job that has failed `attempts` times is due again. */
export function dueDelayMs(kind: DeferralKind, attempts: number): number {
  const { dueMs } = schedule[kind]
  return jittered(dueMs[Math.min(Math.max(attempts, 1), dueMs.length) - 1] ?? MINUTE)
}

/** Up to a fifth shorter, so that rooms that failed together are not asked for together again. */
function jittered(delayMs: number): number {
  return Math.round(delayMs * (1 - Math.random() / 5))
}
