import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import { archiveNewRoom } from '../db/archive-new-room'
import type { ArchivedRoom } from '../db/begin-attempt'
import { confirmUnchanged } from '../db/confirm-unchanged'
import { concludedRuns, finishRun } from '../db/finish-run'
import { landedPages } from '../db/landed-pages'
import { lockLease } from '../db/leases'
import { digestRecords, type MergeResult, mergeMembers } from '../db/merge-members'
import { type Completion, completeJob } from '../db/settle-job'
import type { Database } from '../db/tables'
import { upsertRoom } from '../db/upsert-room'
import { readStoredPage } from '../lcic/statistics'
import { type ArchiveContext, type Attempt, LeaseLostError } from './context'
import type { RoomPage } from './paging'
import { landAnswer, type PulledPages } from './pull-pages'

/** What became of an attempt whose pages are all there. */
export type SnapshotOutcome =
  /** The archive now says what the pages say. */
  | 'archived'
  /** The archive said so already; nothing but the run was written. */
  | 'unchanged'
  /** Members of the archive are not in it: kept as evidence, applied if the next read says the same. */
  | 'shrunk'
  /** Nobody is in it, yet the archive has members: kept as evidence, never applied. */
  | 'emptied'
  /** A record names no user, or a user is listed twice; read again. */
  | 'inconsistent'

export interface Snapshot {
  readonly outcome: SnapshotOutcome
  readonly inserted: number
  readonly updated: number
  readonly removed: number
  /** Records left out because LCIC keeps listing a user more than once. */
  readonly duplicates: number
  /** Records left out because their members were erased. */
  readonly erased: number
  /** Why it was not applied. */
  readonly reason?: string
}

/**
 * How many reads in a row must say the same before the archive believes it. A member listed twice, record for record
 * the same, is most likely one that moved between two pages while they were read, and someone else was missed: that
 * takes the most. Two different records of one member are no such accident.
 */
const READS_TO_BELIEVE = { lostMembers: 2, differingDuplicates: 3, copies: 6 }

/**
 * Decides what the pages of an attempt are worth, and applies them: room, members, tombstones, run and job in one
 * transaction, so that a reader sees the room as it was or as it is now. A new room, and one that has not changed, take one
 * statement.
 *
 * @throws {LeaseLostError} if another process has taken the room over; nothing is written then
 */
export async function takeSnapshot(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  attempt: Attempt,
  pulled: PulledPages,
  archived: ArchivedRoom | undefined,
): Promise<Snapshot> {
  return (
    (await takeAtOnce(context, attempt, pulled, archived)) ??
    takeWithCare(context, attempt, await allLanded(context, attempt, pulled, archived))
  )
}

/** The ordinary cases: a new room in perfect order, and one of which the archive has this very content. */
async function takeAtOnce(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  attempt: Attempt,
  { pages, newRoom, unlanded }: PulledPages,
  archived: ArchivedRoom | undefined,
): Promise<Snapshot | undefined> {
  const { db } = context
  const { figures } = firstOf(pages)
  const { roomId } = attempt.lease
  const contentHash = hashOf(pages)
  const leftOut = erasedFrom(pages)
  const completion = completionOf(context, attempt, figures)
  const run = { roomId, attempt: attempt.number, now: completion.now, requestIds: attempt.requestIds, contentHash }
  if (newRoom) {
    const room = roomFacts(roomId, figures)
    const { members, erasuresSeen } = newRoom
    const onlyPage = unlanded?.page
    const archivedRun = { ...run, outcome: 'archived' }
    const isDone = await archiveNewRoom(db, {
      room,
      leftOut,
      run: archivedRun,
      completion,
      members,
      erasuresSeen,
      onlyPage,
    })
    return isDone
      ? { outcome: 'archived', ...nothingWritten, inserted: figures.Total - leftOut, erased: leftOut }
      : undefined
  }
  if (archived?.contentHash !== contentHash) return undefined
  const { members } = archived
  const landed = unlanded && { landed: { pages: 1, records: unlanded.page.recordCount } }
  const isDone = await confirmUnchanged(db, { members, run: { ...run, ...landed, outcome: 'unchanged' }, completion })
  return isDone ? { outcome: 'unchanged', ...nothingWritten, erased: leftOut } : undefined
}

/** The pages once all of them are landed. */
async function allLanded(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  attempt: Attempt,
  { pages, unlanded }: PulledPages,
  archived: ArchivedRoom | undefined,
): Promise<readonly RoomPage[]> {
  if (!unlanded) return pages
  const { page } = await landAnswer(context, attempt, 1, readStoredPage(unlanded.body.toString()), archived)
  return [page]
}

function completionOf(
  { now, policy }: Pick<ArchiveContext, 'now' | 'policy'>,
  { lease, requestIds }: Attempt,
  { RealEndTime: endedAt }: RoomPage['figures'],
): Completion {
  return { lease, now: now(), endedAt, requestId: requestIds.at(-1), rereadAfterMs: policy.rereadAfterMs }
}

function firstOf(pages: readonly RoomPage[]): RoomPage {
  const [first] = pages
  // Stryker disable next-line ConditionalExpression,StringLiteral: there is one.
  if (!first) throw new TypeError('A snapshot needs a page.')
  return first
}

/** Merges the pages, whatever they are like, and decides what they are worth. */
async function takeWithCare(
  context: Pick<ArchiveContext, 'db' | 'now' | 'policy'>,
  { lease, number: attempt, requestIds }: Attempt,
  pages: readonly RoomPage[],
): Promise<Snapshot> {
  const { db } = context
  const { roomId } = lease
  const { figures } = firstOf(pages)
  const pagesHash = hashOf(pages)
  const leftOut = erasedFrom(pages)
  const completion = completionOf(context, { lease, number: attempt, requestIds }, figures)
  const { now } = completion

  return db.transaction().execute(async (tx) => {
    if (!(await lockLease(tx, lease))) throw new LeaseLostError()
    const { contentHash, ...snapshot } = await apply(tx)
    await finishRun(tx, { roomId, attempt, now, requestIds, errorMessage: snapshot.reason, contentHash, ...snapshot })
    if (snapshot.outcome === 'archived') await completeJob(tx, completion)
    return snapshot
  })

  async function apply(tx: Kysely<Database>): Promise<Snapshot & { contentHash: string }> {
    const { merge, fingerprint, problem } = await mergeIfSound(tx)
    const { erased } = merge
    // Somebody was erased from pages that had been landed already.
    // Stryker disable next-line ConditionalExpression: the landed pages have that very hash, for one more question.
    const contentHash = erased === leftOut ? pagesHash : hashOf(await landedPages(tx, { roomId, attempt }))
    if (problem) return { ...problem, ...nothingWritten, erased, contentHash: fingerprint ?? contentHash }
    await upsertRoom(tx, {
      room: roomFacts(roomId, figures),
      attempt,
      contentHash,
      membersChanged: merge.inserted + merge.updated + merge.removed > 0,
      now,
    })
    return {
      outcome: 'archived',
      inserted: merge.inserted,
      updated: merge.updated,
      removed: merge.removed,
      duplicates: merge.records - merge.users,
      erased,
      contentHash,
    }
  }

  /** Merges; where the archive would lose members or a user is listed twice, only if earlier reads said the same. */
  async function mergeIfSound(
    tx: Kysely<Database>,
  ): Promise<{ merge: MergeResult; fingerprint?: string; problem?: { outcome: SnapshotOutcome; reason: string } }> {
    const options = { roomId, attempt, total: figures.Total, now }
    const merge = await mergeMembers(tx, { ...options, keepOneOfDuplicates: false, allowRemovals: false })
    if (merge.merged) return { merge }
    const problem = problemOf(merge, figures.Total)
    if (problem.outcome === 'emptied') return { merge, problem }

    const { fingerprint, copies } = await digestRecords(tx, { roomId, attempt })
    const keepOneOfDuplicates = merge.users < merge.records
    const { lostMembers, differingDuplicates } = READS_TO_BELIEVE
    const needed = copies > 0 ? READS_TO_BELIEVE.copies : keepOneOfDuplicates ? differingDuplicates : lostMembers
    const saidBefore = await timesSaidBefore(tx, { roomId, attempt, fingerprint })
    if (saidBefore + 1 < needed) return { merge, fingerprint, problem }
    const confirmed = await mergeMembers(tx, { ...options, keepOneOfDuplicates, allowRemovals: true })
    return confirmed.merged ? { merge: confirmed } : { merge: confirmed, fingerprint, problem }
  }
}

/** The room's row, from the figures of its pages. */
export function roomFacts(roomId: bigint, figures: RoomPage['figures']) {
  return {
    roomId,
    total: figures.Total,
    peakMemberNumber: figures.PeakMemberNumber,
    memberNumber: figures.MemberNumber,
    realStartTime: figures.RealStartTime,
    realEndTime: figures.RealEndTime,
    messageCount: figures.MessageCount,
    micCount: figures.MicCount,
    extra: figures.extra,
  }
}

// Stryker disable next-line ObjectLiteral: what is missing counts as 0 with whoever reads it.
const nothingWritten = { inserted: 0, updated: 0, removed: 0, duplicates: 0 }

/** How many of the newest reads, without a break, gave this very fingerprint. */
async function timesSaidBefore(
  tx: Kysely<Database>,
  { roomId, attempt, fingerprint }: { roomId: bigint; attempt: number; fingerprint: string },
): Promise<number> {
  const runs = await concludedRuns(tx, { roomId, before: attempt, limit: READS_TO_BELIEVE.copies })
  const other = runs.findIndex((run) => run.content_hash !== fingerprint)
  return other === -1 ? runs.length : other
}

function problemOf(merge: MergeResult, total: number): { outcome: SnapshotOutcome; reason: string } {
  const { records, erased, users, nameless, absent } = merge
  const landed = records + erased
  if (landed !== total) {
    return { outcome: 'inconsistent', reason: `LCIC announced ${total} records, and ${landed} were landed` }
  }
  if (nameless > 0) return { outcome: 'inconsistent', reason: `${nameless} of ${records} records name no user` }
  if (users < records) {
    return { outcome: 'inconsistent', reason: `${records} records name only ${users} users: some are listed twice` }
  }
  if (records === 0) {
    return { outcome: 'emptied', reason: `LCIC now lists nobody, the archive has ${absent} members and keeps them` }
  }
  return {
    outcome: 'shrunk',
    reason: `LCIC now lists ${records} members and lacks ${absent} that the archive has; they are kept until a second read says the same`,
  }
}

function erasedFrom(pages: readonly RoomPage[]): number {
  return pages.reduce((sum, { erased }) => sum + erased, 0)
}

/** Equal for two reads that gave the same pages. */
export function hashOf(pages: readonly { readonly contentHash: string }[]): string {
  const hash = createHash('sha256')
  for (const { contentHash } of pages) hash.update(contentHash)
  return hash.digest('hex')
}
