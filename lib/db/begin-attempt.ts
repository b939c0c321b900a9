import { type Kysely, sql } from 'kysely'
import { type Instant, later } from './instant'
import type { Lease } from './leases'
import type { Database } from './tables'

/** A page that is in raw_pages already. */
export interface LandedPage<Figures> {
  readonly page: number
  readonly recordCount: number
  /** Records left out of it because their members were erased. */
  readonly erased: number
  /** What it says of the room as a whole, as it was given to `landPage`. */
  readonly figures: Figures
  readonly contentHash: string
  readonly requestId: string | null
}

export interface BegunAttempt<Figures> {
  readonly attempt: number
  /** Pages that an earlier attempt landed before it was cut off; they belong to this attempt now. */
  readonly landed: readonly LandedPage<Figures>[]
  /** What the archive holds of the room; absent if it was never archived. */
  readonly archived?: ArchivedRoom
  /** Number of the newest erasure of a member; absent: nobody was ever erased. */
  readonly newestErasure?: bigint
}

export interface ArchivedRoom {
  readonly attempt: number
  readonly contentHash: string
  /** Members it was built with: Total, less the records left out because they named a user again, or one that was erased. */
  readonly members: number
  /** Its members were deleted because they were kept long enough. */
  readonly membersPruned: boolean
  readonly pageHashes: Readonly<Record<string, string>>
}

/** Outcomes after which the landed pages are no beginning of anything: they were looked at as a whole. */
const CONCLUDED = ['archived', 'unchanged', 'shrunk', 'emptied', 'inconsistent']

/** Outcomes whose pages are kept: what the archive was built from, and what contradicts it. */
const EVIDENCE = ['archived', 'shrunk', 'emptied']

/**
 * Opens the next attempt at a room, in one statement. A run that is still open belonged to someone who died: it is
 * closed as interrupted. Pages of an attempt that never came to a conclusion are taken over, unless they are older than
 * `resumeWithinMs`. Pages of older attempts that led to nothing are dropped.
 *
 * @returns `undefined` if the lease is lost
 */
export async function beginAttempt<Figures>(
  db: Kysely<Database>,
  { lease, now, resumeWithinMs }: { lease: Lease; now: Instant; resumeWithinMs: number },
): Promise<BegunAttempt<Figures> | undefined> {
  const { roomId, holder } = lease
  const { rows } = await sql<{
    attempt: number
    landed: LandedPage<Figures>[]
    archived: ArchivedRoom | null
    newestErasure: bigint | null
  }>`
    with job as (
      select room_id from archive.jobs where room_id = ${roomId} and leased_by = ${holder} for update
    ), last as (
      select r.attempt, r.outcome is null or r.outcome <> all (${CONCLUDED}::text[]) as resumable
      from archive.runs r join job using (room_id)
      order by r.attempt desc
      limit 1
    ), closed as (
      update archive.runs r
      set finished_at = ${now}, outcome = 'interrupted', error_message = 'The process that worked on it died.'
      from last
      where r.room_id = ${roomId} and r.attempt = last.attempt and r.finished_at is null
    ), dropped as (
      delete from archive.raw_pages p
      using archive.runs r, last
      where p.room_id = ${roomId} and r.room_id = ${roomId} and r.attempt = p.attempt
        and r.outcome <> all (${EVIDENCE}::text[]) and r.attempt < last.attempt
    ), adopted as (
      update archive.raw_pages p
      set attempt = last.attempt + 1
      from last
      where p.room_id = ${roomId} and p.attempt = last.attempt and last.resumable
        and p.fetched_at > ${later(now, -resumeWithinMs)}
      returning p.page, p.record_count, p.erased, p.figures, p.content_hash, p.request_id
    ), begun as (
      insert into archive.runs (room_id, attempt, started_at)
      select room_id, coalesce((select attempt from last), 0) + 1, ${now}::timestamptz from job
      returning attempt
    )
    select
      begun.attempt,
      coalesce((
        select json_agg(json_build_object(
          'page', page, 'recordCount', record_count, 'erased', erased, 'figures', figures,
          'contentHash', content_hash, 'requestId', request_id) order by page)
        from adopted
      ), '[]') as landed,
      (
        select json_build_object('attempt', a.attempt, 'contentHash', a.content_hash,
          'membersPruned', a.members_pruned_at is not null, 'members', a.total - a.erased - coalesce((
          select r.duplicates from archive.runs r where r.room_id = a.room_id and r.attempt = a.attempt
        ), 0), 'pageHashes', coalesce((
          select json_object_agg(p.page, p.content_hash)
          from archive.raw_pages p
          where p.room_id = a.room_id and p.attempt = a.attempt
        ), '{}'))
        from archive.rooms a
        where a.room_id = ${roomId}
      ) as archived,
      (select max(erasure_id) from archive.erasures) as "newestErasure"
    from begun`.execute(db)
  const begun = rows[0]
  return (
    begun && {
      attempt: begun.attempt,
      landed: begun.landed,
      ...(begun.archived && { archived: begun.archived }),
      ...(begun.newestErasure !== null && { newestErasure: begun.newestErasure }),
    }
  )
}
