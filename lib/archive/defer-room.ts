import ms from 'ms'
import { finishRun } from '../db/finish-run'
import { goneAnswers } from '../db/gone-answers'
import { type Readiness, recentReadiness } from '../db/recent-readiness'
import { deferJob, type JobPast, lockJob } from '../db/settle-job'
import type { JobState } from '../db/tables'
import { mendOf } from '../lcic/errors'
import { type ArchiveContext, type Attempt, LeaseLostError, type Policy } from './context'
import { type DeferralKind, dueInMs, missingAfter, schedule } from './schedule'

/** Why an attempt came to nothing. */
export interface Failure {
  readonly kind: DeferralKind
  readonly code: string
  readonly detail: string
  /** RequestId of the answer that says so, if there was one. */
  readonly requestId: string | undefined
}

export interface Deferred {
  readonly state: JobState
  /** Absent: not again by itself. */
  readonly dueAt?: Date
  /** Names the room, what happened, and what follows. */
  readonly message: string
}

/**
 * Closes the attempt's run, decides what becomes of the room, and gives the lease back: in one transaction. A room is put
 * off as the schedule says; given up once it has failed for too long; missing once LCIC has denied it for a day. One that
 * is archived stays so.
 *
 * @throws {LeaseLostError} if another process has taken the room over; nothing is written then
 */
export async function deferRoom(
  { db, policy, log, ...context }: Pick<ArchiveContext, 'db' | 'now' | 'policy' | 'log'>,
  { lease, number: attempt, requestIds }: Attempt,
  failure: Failure,
): Promise<Deferred> {
  const { roomId } = lease
  const { kind, code, detail, requestId } = failure
  const plan = schedule[kind]
  const now = context.now()

  const deferred = await db.transaction().execute(async (tx) => {
    const past = await lockJob(tx, { lease, now })
    if (!past) throw new LeaseLostError()
    await finishRun(tx, { roomId, attempt, now, outcome: kind, errorCode: code, errorMessage: detail, requestIds })
    const missing = kind === 'gone' && isMissing(await goneAnswers(tx, { roomId, now }))
    // Stryker disable next-line ConditionalExpression: nothing else is put off by it.
    const readiness = kind === 'not_ready' ? await recentReadiness(tx) : undefined
    const decision = missing ? countsAsMissing : decide(failure, past, policy, { roomId, readiness })
    const startsAnew = past.hinted && SETTLED.includes(decision.state)
    const { state, dueMs, next } = startsAnew ? namedAnew : decision
    const message = `Room ${roomId}: ${plan.meaning} (${code}: ${detail.replace(/[.\s]+$/, '')}). ${next}`
    const job = await deferJob(tx, {
      lease,
      now,
      state,
      dueInMs: dueMs,
      costsAttempt: plan.costsAttempt,
      startsAnew,
      reason: kind,
      errorCode: code,
      errorMessage: message,
      requestId,
    })
    // Stryker disable next-line ConditionalExpression: its job is locked.
    if (!job) throw new LeaseLostError()
    return { state: job.state, ...(job.dueAt && { dueAt: job.dueAt }), message }
  })
  if (deferred.state === 'failed') log.error({ roomId, attempt, kind, code, requestId }, deferred.message)
  return deferred
}

interface Decision {
  readonly state: JobState
  readonly dueMs: number | undefined
  readonly next: string
}

function decide(
  { kind, code }: Failure,
  past: JobPast,
  { giveUpAfterMs }: Policy,
  { roomId, readiness }: { roomId: bigint; readiness: Readiness | undefined },
): Decision {
  const { state, costsAttempt } = schedule[kind]
  const next = kind === 'configuration' ? mendOf(code) : schedule[kind].next
  const failingMs = failingMsOf(kind, past)
  const isGivenUp = costsAttempt && failingMs >= giveUpAfterMs
  if (past.archived) {
    const isPointless = isGivenUp || kind === 'gone'
    const dueMs = isPointless ? undefined : dueInMs(kind, past, readiness)
    // Stryker disable next-line StringLiteral: the statement that puts it off leaves it archived, whatever this says.
    return { state: 'archived', dueMs, next: dueMs === undefined ? 'The archive keeps what it has.' : next }
  }
  if (state === 'pending' && isGivenUp) {
    const so = `It has gone on for ${ms(failingMs, { long: true })}: the room is given up.`
    return { state: 'failed', dueMs: undefined, next: `${so} To try again: lcic-archive retry ${roomId}` }
  }
  return { state, dueMs: dueInMs(kind, past, readiness), next }
}

/** A class fails to end only from when it was planned to; what comes once it has ended is a failure of its own. */
function failingMsOf(kind: DeferralKind, { reason, failingMs, scheduledEndInMs }: JobPast): number {
  if (kind !== 'not_ended') return reason === 'not_ended' ? 0 : failingMs
  return scheduledEndInMs === null ? failingMs : Math.min(failingMs, Math.max(0, -scheduledEndInMs))
}

const countsAsMissing: Decision = {
  state: 'missing',
  dueMs: undefined,
  next: 'It has said so for a day: the room counts as missing.',
}

/** States in which a room is not asked for again by itself. */
const SETTLED: readonly JobState[] = ['expired', 'missing', 'failed']

const namedAnew: Decision = {
  state: 'pending',
  // As any room is that was named while it was worked on.
  dueMs: undefined,
  next: 'It was named anew meanwhile, and will be asked again.',
}

function isMissing({ answers, spanMs }: { answers: number; spanMs: number }): boolean {
  return answers >= missingAfter.answers && spanMs >= missingAfter.spanMs
}
