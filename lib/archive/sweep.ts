import { isConnectionProblem } from '../db/connect'
import { beginSweep, endSweep, extendSwept } from '../db/sweep-marks'
import { ArchiveError, describeError } from '../errors'
import { mayConcernApp, mendOf, SourceError } from '../lcic/errors'
import { ConfigurationError } from './archive-room'
import type { ArchiveContext, Patience } from './context'
import { type Listing, listRooms, type Span } from './list-rooms'
import { isOver, rememberRooms } from './remember-rooms'

/** What a sweep of one app found. */
export interface SweepReport extends Span {
  readonly sdkAppId: bigint
  /** Rooms listed. */
  readonly rooms: number
  /** Those of them that have ended, unused ones that expired included. */
  readonly endedRooms: readonly bigint[]
  /** Those that had no job, and have one now. */
  readonly newJobs: number
  readonly requests: number
  /** Why it did not see everything. What it saw is kept, and the next sweep looks there again. */
  readonly failure?: SweepFailure
}

export interface SweepFailure {
  /** LCIC's code of what went wrong, or this program's own (`E_…`). */
  readonly code: string
  /** LCIC refuses to list this very app, as long as nothing is mended. */
  readonly isRefused: boolean
  /** What is wrong, and the mend. */
  readonly reason: string
}

export interface SweepOptions {
  readonly sdkAppIds: readonly bigint[]
  /** How far back to look from where the last full sweep ended. */
  readonly lookbackMs: number
  /** Another span to look through, besides the regular sweeps: how those fare stays as it is. */
  readonly span?: Span
  /** When to be done, by the context's clock: what has not been seen by then is seen by the next sweep. */
  readonly deadline?: number
  readonly signal?: AbortSignal
}

/**
 * Finds the rooms that have ended, and makes their jobs due. Rooms that are planned or in class get a job for when they
 * are planned to end: so they are watched, however late they do. What LCIC says of rooms goes to `known_rooms`.
 *
 * Without a span each app is looked through from `lookbackMs` before the end of its last full sweep, however long ago
 * that is: sweeps that failed are made up for. That mark moves only as far as everything has been seen; of a long time that
 * cannot be looked through at once, a part counts. Each app has its share of the time that is left.
 *
 * @returns a report for each app; one that could not be swept whole delays no other
 * @throws {ConfigurationError} when LCIC refuses the credentials
 * @throws the signal's reason once aborted
 */
export async function sweep(context: ArchiveContext, options: SweepOptions): Promise<SweepReport[]> {
  const { sdkAppIds, deadline = Number.POSITIVE_INFINITY } = options
  const reports: SweepReport[] = []
  for (const sdkAppId of sdkAppIds) {
    const now = context.clock.now()
    const share = (deadline - now) / (sdkAppIds.length - reports.length)
    reports.push(await sweepApp(context, sdkAppId, { ...options, deadline: now + share }))
  }
  return reports
}

async function sweepApp(
  context: ArchiveContext,
  sdkAppId: bigint,
  { lookbackMs, span: given, deadline, signal }: SweepOptions,
): Promise<SweepReport> {
  const { db, log, now, clock, observe } = context
  const began = clock.now()
  const { span, sweptUntil } = given ? { span: given, sweptUntil: null } : await nextSpan()
  const patience: Patience = { waitMs: 0, deadline, signal }
  /** Whether each room seen is over. */
  const seen = new Map<bigint, boolean>()
  const listing: Listing = { requestIds: [] }
  const { requestIds } = listing
  let newJobs = 0
  let error: unknown
  try {
    for await (const { rooms, upTo } of listRooms(context, sdkAppId, span, patience, listing)) {
      newJobs += await rememberRooms(context, rooms, { listed: true })
      for (const room of rooms) seen.set(room.roomId, isOver(room))
      observe?.({ type: 'listed', rooms: seen.size, upTo })
    }
  } catch (thrown) {
    // Whoever stops it knows; the next one looks there again.
    signal?.throwIfAborted()
    error = thrown
  }
  const endedRooms = [...seen].flatMap(([roomId, over]) => (over ? [roomId] : []))
  const report: SweepReport = {
    sdkAppId,
    ...span,
    rooms: seen.size,
    endedRooms,
    newJobs,
    requests: requestIds.length,
    ...(error !== undefined && { failure: failureOf(error) }),
  }
  const { failure } = report
  if (!given) {
    const { wholeUpTo } = listing
    const before = sweptUntil?.getTime() ?? Number.NEGATIVE_INFINITY
    // Stryker disable next-line EqualityOperator: the same mark may be set again.
    const part = wholeUpTo && wholeUpTo.getTime() > before && { seen: { from: span.from, to: wholeUpTo } }
    const outcome = failure ? { errorMessage: failure.reason, ...part } : { seen: span }
    await endSweep(db, { sdkAppId, now: now(), rooms: seen.size, ...outcome })
  } else if (!failure) {
    await extendSwept(db, { sdkAppId, now: now(), seen: span, lookbackMs })
  }
  const durationMs = Math.round(clock.now() - began)
  const facts = { ...report, endedRooms: endedRooms.length, requestId: requestIds.at(-1), durationMs }
  log[failure ? 'error' : 'info'](facts, 'sweep')
  if (failure?.isRefused && !mayConcernApp(failure.code)) {
    throw new ConfigurationError(failure.code, `App ${sdkAppId}: ${failure.reason}`)
  }
  // Anything but the source's doing is not to be passed over.
  if (failure && !(error instanceof ArchiveError)) throw error
  return report

  async function nextSpan(): Promise<{ span: Span; sweptUntil: Date | null }> {
    const { sweptUntil, startedAt } = await beginSweep(db, { sdkAppId, now: now() })
    const since = Math.min(sweptUntil?.getTime() ?? Number.POSITIVE_INFINITY, startedAt.getTime())
    return { span: { from: new Date(since - lookbackMs), to: startedAt }, sweptUntil }
  }
}

function failureOf(error: unknown): SweepFailure {
  // What the pg package says of a connection that broke has no code.
  const unnamed = isConnectionProblem(error) ? 'E_DATABASE_UNREACHABLE' : 'E_UNEXPECTED'
  const { code = unnamed, message } = describeError(error)
  const isRefused = error instanceof SourceError && error.kind === 'configuration'
  const mend = mayConcernApp(code) ? mendOf(code, 'Check LCIC_SDK_APP_IDS.') : mendOf(code)
  return { code, isRefused, reason: isRefused ? `${message.replace(/[.\s]+$/, '')} (${code}). ${mend}` : message }
}
