import { type BegunAttempt, beginAttempts } from '../db/begin-attempt'
import { isDatabaseTrouble, isDataRefusal } from '../db/connect'
import { finishRun } from '../db/finish-run'
import type { Lease } from '../db/leases'
import { readErasures } from '../db/read-erasures'
import { completeJob, releaseJob } from '../db/settle-job'
import type { JobState } from '../db/tables'
import { ArchiveError, describeError, UsageError } from '../errors'
import { SourceError } from '../lcic/errors'
import type { PageFigures } from '../lcic/statistics'
import { OUT_OF_BUDGET } from './budget'
import { claimNamedRoom } from './claim'
import { type ArchiveContext, type Attempt, LeaseLostError, type Patience } from './context'
import { deferRoom, type Failure } from './defer-room'
import { InconsistentPagesError } from './paging'
import { pullPages } from './pull-pages'
import { type DeferralKind, retryDelayMs } from './schedule'
import { takeSnapshot } from './take-snapshot'

/** What came of a call for one room. */
export interface RoomReport {
  readonly roomId: bigint
  /** `busy`: another process works on the room, or has taken it over. */
  readonly outcome: 'archived' | 'unchanged' | DeferralKind | 'busy'
  readonly state?: JobState
  /** Number of the last attempt; `archive.runs` tells more of it. */
  readonly attempt?: number
  readonly pages: number
  readonly records: number
  readonly inserted: number
  readonly updated: number
  readonly removed: number
  readonly duplicates: number
  /** Answers LCIC gave, refusals included. */
  readonly requests: number
  readonly durationMs: number
  /** RequestId of LCIC's last answer, to quote to its support. */
  readonly requestId?: string | undefined
  /** LCIC's code of what went wrong, or this program's own (`E_…`). */
  readonly code?: string
  /** What is wrong, and the mend; absent for rooms that are archived. */
  readonly message?: string
  /** When a room that could not be archived is due again. */
  readonly dueAt?: Date
}

/** Whether nothing is left to do for the room: it is archived, or never will be; a re-read that failed has to be made again. */
export function isDone({ state, outcome, dueAt }: RoomReport): boolean {
  if (state === 'archived') return dueAt === undefined || outcome === 'shrunk' || outcome === 'emptied'
  return state === 'expired'
}

/** LCIC refuses requests as such: no room can be archived until that is mended. */
export class ConfigurationError extends UsageError {}

/** Pages older than this are not built upon: the room is read from its first page. */
const RESUME_WITHIN_MS = 3_600_000

/**
 * Archives one room now: pulls its pages, resuming where a killed process left off, and merges them in one transaction.
 * A room that cannot be archived is put off by the schedule of its failure.
 *
 * @throws {ConfigurationError} when LCIC refuses credentials or parameters
 * @throws the signal's reason once aborted; the lease is given back, and landed pages are kept
 */
export async function archiveRoom(context: ArchiveContext, roomId: bigint, patience: Patience): Promise<RoomReport> {
  const startedAt = context.clock.now()
  const lease = await claimNamedRoom(context, roomId, patience)
  if (lease) return archiveLeasedRoom(context, lease, patience, { startedAt })
  return reported(context, roomId, startedAt, busy(roomId, 'is at work on it'))
}

/** An attempt that has begun, and what is there of the room already. */
export type BegunRoom = BegunAttempt<PageFigures>

/** Begins an attempt at each of the rooms, in one round trip. @returns by room; those that others have taken over are left out */
export function beginRooms({ db, now }: ArchiveContext, leases: readonly Lease[]): Promise<Map<bigint, BegunRoom>> {
  return beginAttempts(db, { leases, now: now(), resumeWithinMs: RESUME_WITHIN_MS })
}

export interface LeasedRoomOptions {
  /** When the work on it began, by the context's clock; now, if absent. */
  readonly startedAt?: number
  /** The first attempt, if it has begun already. */
  readonly begun?: BegunRoom | undefined
  /** Whether a request refused with this code is the room's own fault, and no reason to stop. Never, if absent. */
  readonly isRoomsFault?: (code: string) => boolean
}

/** Archives a room whose lease this process has. See {@link archiveRoom}. */
export async function archiveLeasedRoom(
  context: ArchiveContext,
  lease: Lease,
  patience: Patience,
  { startedAt = context.clock.now(), ...options }: LeasedRoomOptions = {},
): Promise<RoomReport> {
  const result = await readUntilSettled(context, lease, patience, options)
  return reported(context, lease.roomId, startedAt, result)
}

type Result = Pick<RoomReport, 'outcome'> & Partial<RoomReport>

const nothingRead = { pages: 0, records: 0, inserted: 0, updated: 0, removed: 0, duplicates: 0, requests: 0 }

function reported({ clock, log }: ArchiveContext, roomId: bigint, startedAt: number, result: Result): RoomReport {
  const report = { roomId, ...nothingRead, ...result, durationMs: Math.round(clock.now() - startedAt) }
  const { message: reason, ...facts } = report
  log[reason === undefined ? 'info' : 'warn']({ ...facts, reason }, 'room')
  return report
}

/** Reads the room, and reads it again where pages contradicted each other, until it is archived or put off. */
async function readUntilSettled(
  context: ArchiveContext,
  lease: Lease,
  patience: Patience,
  { begun: first, isRoomsFault }: Omit<LeasedRoomOptions, 'startedAt'>,
): Promise<Result> {
  const { db, clock } = context
  for (let reads = 1, requests = 0; ; reads++) {
    const begun = reads === 1 && first ? first : (await beginRooms(context, [lease])).get(lease.roomId)
    if (!begun) return busy(lease.roomId, 'has taken it over')
    // Stryker disable next-line ArrayDeclaration: pages have one, whatever the column allows.
    const requestIds = begun.landed.flatMap(({ requestId }) => requestId ?? [])
    const resumed = requestIds.length
    const attempt: Attempt = { lease, number: begun.attempt, requestIds }
    try {
      if (begun.archived?.membersPruned) return await leavePruned(context, attempt)
      // Stryker disable next-line ConditionalExpression,EqualityOperator: whoever has not read them is told so at the first page, and reads them then.
      if (begun.newestErasure !== undefined) attempt.erasures = await readErasures(db, lease.roomId)
      const { failure: found, ...read } = await readOnce(context, attempt, begun, patience)
      requests += requestIds.length - resumed
      const result = { ...read, attempt: begun.attempt, requests, requestId: requestIds.at(-1) }
      if (!found) return { ...result, state: 'archived' }
      if (found.code === OUT_OF_BUDGET) {
        await giveBack(context, attempt, found.detail)
        const message = `Room ${lease.roomId}: ${found.detail} It was given back as it was.`
        return { ...result, outcome: 'throttled', code: found.code, message }
      }
      const isOwnFault = found.kind === 'configuration' && isRoomsFault?.(found.code)
      const failure: Failure = isOwnFault ? { ...found, kind: 'refused' } : found
      const delayMs = rereadDelayMs(failure.kind, reads)
      if (delayMs === undefined) {
        const deferred = await deferRoom(context, attempt, failure)
        if (failure.kind === 'configuration') throw new ConfigurationError(failure.code, deferred.message)
        return { ...result, ...deferred, outcome: failure.kind, code: failure.code }
      }
      await closeRun(context, attempt, failure)
      await clock.sleep(delayMs, patience.signal)
    } catch (error) {
      if (error instanceof LeaseLostError) return busy(lease.roomId, 'has taken it over')
      await abandon(context, attempt, error, patience.signal)
      throw error
    }
  }
}

/** Pages that contradict each other are read again at once, a few times. */
function rereadDelayMs(kind: DeferralKind, reads: number): number | undefined {
  return kind === 'inconsistent' ? retryDelayMs(kind, { failures: reads, waitedMs: 0, waitMs: 0 }) : undefined
}

type Counts = Pick<RoomReport, 'pages' | 'records' | 'inserted' | 'updated' | 'removed' | 'duplicates'>

/** One attempt: pull, then decide. Every failure that the schedule knows comes back; all others are thrown. */
async function readOnce(
  context: ArchiveContext,
  attempt: Attempt,
  begun: BegunRoom,
  patience: Patience,
): Promise<Counts & { outcome: RoomReport['outcome']; failure?: Failure }> {
  try {
    const pulled = await pullPages(context, attempt, begun, patience)
    const { outcome, reason, erased, ...written } = await takeSnapshot(context, attempt, pulled, begun.archived)
    const { pages } = pulled
    // Stryker disable next-line OptionalChaining: there is a page.
    const read = { outcome, ...written, pages: pages.length, records: (pages[0]?.figures.Total ?? 0) - erased }
    if (outcome === 'archived' || outcome === 'unchanged') return read
    const code = `E_${outcome.toUpperCase()}`
    // Stryker disable next-line StringLiteral: there is a reason.
    return { ...read, failure: { kind: outcome, code, detail: reason ?? '', requestId: attempt.requestIds.at(-1) } }
  } catch (error) {
    const failure = failureOf(error, attempt.requestIds.at(-1))
    if (failure) return failed(failure)
    if (isNotTheRooms(error, patience.signal)) throw error
    // A defect of this program that this room brings to light: other rooms are not to suffer for it.
    const { lease, number, requestIds } = attempt
    const subject = { roomId: lease.roomId, attempt: number, requestId: requestIds.at(-1) }
    context.log.error({ ...subject, err: error }, 'unexpected error')
    const detail = describeError(error).message
    return failed({ kind: 'rejected', code: 'E_UNEXPECTED', detail, requestId: attempt.requestIds.at(-1) })
  }
}

function failed(failure: Failure) {
  return { ...nothingRead, outcome: failure.kind, failure }
}

/** Errors that any other room would meet as well. */
function isNotTheRooms(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted || error instanceof LeaseLostError || error instanceof ArchiveError || isDatabaseTrouble(error)
}

function failureOf(error: unknown, requestId: string | undefined): Failure | undefined {
  if (error instanceof SourceError) {
    return { kind: error.kind, code: error.code, detail: error.message, requestId: error.requestId }
  }
  if (error instanceof InconsistentPagesError) {
    return { kind: 'inconsistent', code: 'E_INCONSISTENT', detail: error.message, requestId }
  }
  // What LCIC sent is beyond what PostgreSQL can hold or read: no reason to stop for other rooms.
  if (error instanceof RangeError || isDataRefusal(error)) {
    const { code = 'E_UNREADABLE_PAGE', message } = describeError(error)
    return { kind: 'rejected', code, detail: message, requestId }
  }
  return undefined
}

/** Gives the room back as it was: on request, or because of an error that is not the room's. */
async function abandon(
  context: ArchiveContext,
  attempt: Attempt,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { log } = context
  const { roomId } = attempt.lease
  const stopped = signal?.aborted ?? false
  if (!stopped && !(error instanceof ArchiveError) && !isDatabaseTrouble(error))
    log.error({ roomId, attempt: attempt.number, requestId: attempt.requestIds.at(-1), err: error }, 'attempt failed')
  try {
    if (stopped) await giveBack(context, attempt, 'Stopped before it was done.')
    else await giveBack(context, attempt, describeError(error).message, 'failed')
  } catch (cause) {
    // The lease runs out by itself, and the next attempt closes the run.
    const { code, message: reason } = describeError(cause)
    log.warn({ roomId, attempt: attempt.number, code, reason }, 'the room could not be given back')
  }
}

/**
 * Gives the lease back, and closes the run; the job is as it was. In this order, since the server may still be writing a
 * snapshot whose connection was lost: the job waits for it, and if it has archived the room, it has closed the run.
 */
async function giveBack(
  { db, now }: ArchiveContext,
  attempt: Attempt,
  detail: string,
  kind = 'interrupted',
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await releaseJob(tx, { lease: attempt.lease, now: now() })
    await closeRun({ db: tx, now }, attempt, { kind, detail })
  })
}

/** Closes the run of an attempt that came to nothing, if it is still open; the job stays with this process. */
async function closeRun(
  { db, now }: Pick<ArchiveContext, 'db' | 'now'>,
  { lease: { roomId }, number: attempt, requestIds }: Attempt,
  { kind: outcome, code: errorCode, detail: errorMessage }: { kind: string; code?: string; detail: string },
): Promise<void> {
  await finishRun(db, { roomId, attempt, now: now(), outcome, errorCode, errorMessage, requestIds })
}

/** What was deleted because it was kept long enough is not asked for again. */
async function leavePruned(context: ArchiveContext, attempt: Attempt): Promise<Result> {
  const { db, now } = context
  const { lease, number } = attempt
  const detail = 'Its members were deleted by prune, and are not asked for again.'
  await closeRun(context, attempt, { kind: 'unchanged', detail })
  await completeJob(db, { lease, now: now(), endedAt: null, requestId: undefined, rereadAfterMs: undefined })
  return { outcome: 'unchanged', state: 'archived', attempt: number, message: `Room ${lease.roomId}: ${detail}` }
}

function busy(roomId: bigint, what: string): Result {
  return { outcome: 'busy', message: `Room ${roomId}: another process ${what}. Nothing was changed here.` }
}
