import { type Kysely, sql } from 'kysely'
import { type Instant, msBetween } from './instant'
import { backlogMs, slotsLastMinute } from './read-budgets'
import type { Database, JobState } from './tables'

/** What monitoring wants to know of the archive as a whole, at one moment. */
export interface ArchiveMetrics {
  readonly jobs: readonly JobsInState[]
  readonly budgets: readonly BudgetUse[]
  readonly sweeps: readonly { readonly sdkAppId: bigint; readonly sweptUntil: Date | null }[]
}

export interface JobsInState {
  readonly state: JobState
  readonly jobs: number
  /** How long the one of them has been due that has been for longest; null if none is. */
  readonly oldestDueMs: number | null
  /** LCIC may have deleted their data by now. */
  readonly passedDeadline: number
}

/** What is used of one of LCIC's limits, by whomever. */
export interface BudgetUse {
  readonly action: string
  /** How long a request would wait for its slot now. */
  readonly backlogMs: number
  /** Slots handed out for the last full minute. */
  readonly lastMinute: number
}

/**
 * Reads all jobs once: 1,000,000 take a fifth of a second.
 *
 * @param mostMs the database gives up after so long
 */
export async function readMetrics(
  db: Kysely<Database>,
  { now, mostMs }: { now: Instant; mostMs: number },
): Promise<ArchiveMetrics> {
  return db.transaction().execute(async (tx) => {
    await sql`select set_config('statement_timeout', ${String(mostMs)}, true)`.execute(tx)
    const { rows: jobs } = await sql<JobsInState>`
      select state, count(*)::int as jobs,
        max(${msBetween(sql`due_at`, now)}) filter (where state = 'pending' and due_at <= ${now}) as "oldestDueMs",
        (count(*) filter (where state in ('pending', 'failed') and deadline_at < ${now}))::int as "passedDeadline"
      from archive.jobs
      group by state`.execute(tx)
    // Of several endpoints and credentials the action's names are the same; limits are each one's own.
    const { rows: budgets } = await sql<BudgetUse>`
      select split_part(budget, ' ', 1) as action,
        max(greatest(0, ${backlogMs})) as "backlogMs",
        sum(${slotsLastMinute})::int as "lastMinute"
      from archive.budgets
      group by 1`.execute(tx)
    const { rows: sweeps } = await sql<ArchiveMetrics['sweeps'][number]>`
      select sdk_app_id as "sdkAppId", swept_until as "sweptUntil" from archive.sweeps`.execute(tx)
    return { jobs, budgets, sweeps }
  })
}

/** How long it took to archive a room for the first time. */
export interface Freshness {
  /** From the end of the class; null where that is not known. */
  readonly sinceEndMs: number | null
  /** From when LCIC last said that the statistics were not ready; null if it never did. */
  readonly sinceNotReadyMs: number | null
}

/** Of those of the rooms that were archived once, and not read again since. */
export async function readFreshness(db: Kysely<Database>, roomIds: readonly bigint[]): Promise<Freshness[]> {
  const { rows } = await sql<Freshness>`
    select ${msBetween(sql`r.real_end_at`, sql`r.archived_at`)} as "sinceEndMs",
      ${msBetween(sql`j.not_ready_until`, sql`r.archived_at`)} as "sinceNotReadyMs"
    from archive.rooms r
    join archive.jobs j using (room_id)
    where r.room_id = any (${roomIds.map(String)}::bigint[]) and j.archived_at = r.archived_at`.execute(db)
  return rows
}
