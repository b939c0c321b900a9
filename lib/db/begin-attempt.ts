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
 * Opens the next attempt at each room, in one statement. A run that is still open belonged to someone who died: it is
 * closed as interrupted. Pages of an attempt that never came to a conclusion are taken over, unless they are older than
 * `resumeWithinMs`. Pages of older attempts that led to nothing are dropped.
 *
 * @returns by room; those whose leases are lost are not among them
 */
export async function beginAttempts<Figures>(
  db: Kysely<Database>,
  { leases, now, resumeWithinMs }: { leases: readonly Lease[]; now: Instant; resumeWithinMs: number },
): Promise<Map<bigint, BegunAttempt<Figures>>> {
  const roomIds = leases.map(({ roomId }) => String(roomId))
  const holders = leases.map(({ holder }) => holder)
  const { rows } = await sql<{
    room_id: bigint
    attempt: number
    landed: LandedPage<Figures>[]
    archived: ArchivedRoom | null
    newestErasure: bigint | null
  }>`
    with job as materialized (
      select room_id from archive.jobs
      where (room_id, leased_by) in (select * from unnest(${roomIds}::bigint[], ${holders}::text[]))
      order by room_id
      for update
    ), last as materialized (
      select r.* from job
      cross join lateral (
        select room_id, attempt, outcome is null or outcome <> all (${CONCLUDED}::text[]) as resumable
        from archive.runs
        where room_id = job.room_id
        order by attempt desc
        limit 1
      ) as r
    ), closed as (
      update archive.runs r
      set finished_at = ${now}, outcome = 'interrupted', error_message = 'The process that worked on it died.'
      from last
      where r.room_id = last.room_id and r.attempt = last.attempt and r.finished_at is null
    ), dropped as (
      delete from archive.raw_pages p
      using archive.runs r, last
      where p.room_id = last.room_id and r.room_id = last.room_id and r.attempt = p.attempt
        and r.outcome <> all (${EVIDENCE}::text[]) and r.attempt < last.attempt
    ), adopted as (
      update archive.raw_pages p
      set attempt = last.attempt + 1
      from last
      where p.room_id = last.room_id and p.attempt = last.attempt and last.resumable
        and p.fetched_at > ${later(now, -resumeWithinMs)}
      returning p.room_id, p.page, p.record_count, p.erased, p.figures, p.content_hash, p.request_id
    ), begun as (
      insert into archive.runs (room_id, attempt, started_at)
      select job.room_id, coalesce(last.attempt, 0) + 1, ${now}::timestamptz
      from job
      left join last using (room_id)
      returning room_id, attempt
    )
    select
      begun.room_id, begun.attempt,
      coalesce((
        select json_agg(json_build_object(
          'page', page, 'recordCount', record_count, 'erased', erased, 'figures', figures,
          'contentHash', content_hash, 'requestId', request_id) order by page)
        from adopted
        where room_id = begun.room_id
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
        where a.room_id = begun.room_id
      ) as archived,
      (select max(erasure_id) from archive.erasures) as "newestErasure"
    from begun`.execute(db)
  return new Map(
    rows.map(({ room_id, attempt, landed, archived, newestErasure }) => [
      room_id,
      { attempt, landed, ...(archived && { archived }), ...(newestErasure !== null && { newestErasure }) },
    ]),
  )
}
