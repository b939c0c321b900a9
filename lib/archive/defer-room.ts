import { finishRun } from '../db/finish-run'
import { goneAnswers } from '../db/gone-answers'
import { deferJob } from '../db/settle-job'
import type { JobState } from '../db/tables'
import { mendOf } from '../lcic/errors'
import { type ArchiveContext, type Attempt, LeaseLostError } from './context'
import { type DeferralKind, dueDelayMs, missingAfter, schedule } from './schedule'

export interface Deferred {
  readonly state: JobState
  readonly dueAt: Date
  /** Names the room, what happened, and what follows. */
  readonly message: string
}

/**
 * Closes the attempt's run, puts the job off as the schedule says, and gives the lease back: in one transaction.
 *
 * @throws {LeaseLostError} if another process has taken the room over; nothing is written then
 *
 * @param attempts that the job has cost before
 */
export async function deferRoom(
  { db, clock }: Pick<ArchiveContext, 'db' | 'clock'>,
  { lease, number: attempt, requestIds }: Attempt,
  failure: { kind: DeferralKind; code: string; detail: string; requestId?: string | undefined },
  attempts: number,
): Promise<Deferred> {
  const { roomId } = lease
  const { kind, code, detail, requestId } = failure
  const plan = schedule[kind]
  const now = new Date(clock.now())
  const cost = plan.costsAttempt ? 1 : 0
  const dueAt = new Date(now.getTime() + dueDelayMs(kind, attempts + cost))
  const because = `Room ${roomId}: ${plan.meaning} (${code}: ${detail.replace(/[.\s]+$/, '')}).`

  return db.transaction().execute(async (tx) => {
    await finishRun(tx, {
      roomId,
      attempt,
      now,
      outcome: kind,
      errorCode: code,
      errorMessage: detail,
      requestIds,
    })
    const missing = kind === 'gone' && isMissing(await goneAnswers(tx, roomId), now)
    const message = `${because} ${missing ? countsAsMissing : kind === 'configuration' ? mendOf(code) : plan.next}`
    const job = await deferJob(tx, {
      lease,
      now,
      state: missing ? 'missing' : plan.state,
      dueAt,
      costsAttempt: plan.costsAttempt,
      errorCode: code,
      errorMessage: message,
      requestId: requestId ?? requestIds.at(-1),
    })
    if (!job) throw new LeaseLostError()
    return { state: job.state, dueAt, message }
  })
}

const countsAsMissing = 'It has said so for a day: the room counts as missing.'

function isMissing({ answers, since }: { answers: number; since: Date | null }, now: Date): boolean {
  return answers >= missingAfter.answers && since !== null && now.getTime() - since.getTime() >= missingAfter.spanMs
}
