import { type Kysely, sql } from 'kysely'
import { type Instant, later, msBetween } from './instant'
import { backlogMs, slotsLastMinute } from './read-budgets'
import type { Database, JobState } from './tables'

/** What became of the rooms of one app that ended on one day. Each room counts once. */
export interface DayStatus {
  /** By UTC, `2026-03-01`. */
  readonly day: string
  /** Null where it is not known. */
  readonly sdkAppId: bigint | null
  /** Rooms that ended, or expired unused: those LCIC lists, and those that only a callback or a person named. */
  readonly ended: number
  readonly archived: number
  /** Their jobs are not done yet. */
  readonly waiting: number
  readonly expired: number
  readonly missing: number
  readonly failed: number
  /** LCIC lists them, and nothing has been done about them. */
  readonly gap: number
  /** Those waiting or failed although LCIC may have deleted their data by now. */
  readonly passedDeadline: number
}

/** Rooms that wait for one and the same reason. */
export interface WaitingStatus {
  /** `null`: not asked for yet. */
  readonly reason: string | null
  readonly rooms: number
  readonly nextAt: Date | null
  readonly nearestDeadlineAt: Date
}

export interface SweepStatus {
  readonly sdkAppId: bigint
  /** All that LCIC listed from then until `sweptUntil` is known. */
  readonly sweptFrom: Date | null
  readonly sweptUntil: Date | null
  readonly startedAt: Date
  readonly finishedAt: Date | null
  readonly rooms: number | null
  readonly errorMessage: string | null
}

export interface BudgetStatus {
  readonly budget: string
  /** How long a request would wait for its slot now. */
  readonly backlogMs: number
  /** Slots handed out for the last full minute. */
  readonly lastMinute: number
}

export interface Status {
  readonly readAt: Date
  readonly days: readonly DayStatus[]
  readonly waiting: readonly WaitingStatus[]
  /** Rooms planned or in class. */
  readonly upcoming: number
  /** Archived rooms that are to be read once more. */
  readonly rereads: number
  readonly oldestDueAt: Date | null
  /** From the end of a class until it was archived, of the rooms archived within a day. */
  readonly freshness: { readonly rooms: number; readonly p50Ms: number | null; readonly p95Ms: number | null }
  readonly sweeps: readonly SweepStatus[]
  readonly budgets: readonly BudgetStatus[]
}

/**
 * How complete the archive is: what LCIC says ended beside what is archived, at one moment.
 *
 * @param now compared with due times and deadlines
 */
export async function readStatus(db: Kysely<Database>, { now }: { now: Instant }): Promise<Status> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const { rows: days } = await sql<DayStatus>`
        with ended as (
          select coalesce(k.sdk_app_id, j.sdk_app_id) as sdk_app_id, j.state,
            coalesce(k.real_end_at, j.ended_at, k.scheduled_end_at, j.created_at) as ended_at,
            j.room_id is null as is_gap,
            j.state in ('pending', 'failed') and j.deadline_at < ${now} as is_late
          from archive.known_rooms k
          full join archive.jobs j using (room_id)
          where ${isOver(now)}
        )
        select to_char(ended_at at time zone 'utc', 'YYYY-MM-DD') as day, sdk_app_id as "sdkAppId",
          count(*)::int as ended,
          count(*) filter (where state = 'archived')::int as archived,
          count(*) filter (where state = 'pending')::int as waiting,
          count(*) filter (where state = 'expired')::int as expired,
          count(*) filter (where state = 'missing')::int as missing,
          count(*) filter (where state = 'failed')::int as failed,
          count(*) filter (where is_gap)::int as gap,
          count(*) filter (where is_late)::int as "passedDeadline"
        from ended
        group by 1, 2
        order by 1, 2`.execute(tx)
      const { rows: waiting } = await sql<WaitingStatus>`
        select j.reason, count(*)::int as rooms, min(j.due_at) as "nextAt", min(j.deadline_at) as "nearestDeadlineAt"
        from archive.jobs j
        left join archive.known_rooms k using (room_id)
        where j.state = 'pending' and ${isOver(now)}
        group by j.reason
        order by count(*) desc`.execute(tx)
      const { rows: counts } = await sql<Pick<Status, 'readAt' | 'upcoming' | 'rereads' | 'oldestDueAt'>>`
        select ${now}::timestamptz as "readAt",
          (select count(*)::int from archive.known_rooms k left join archive.jobs j using (room_id)
            where not ${isOver(now)}) as upcoming,
          (select count(*)::int from archive.jobs where state = 'archived' and due_at is not null) as rereads,
          (select min(due_at) from archive.jobs where state = 'pending' and due_at <= ${now}) as "oldestDueAt"`.execute(
        tx,
      )
      const { rows: freshness } = await sql<Status['freshness']>`
        select count(*)::int as rooms,
          percentile_cont(0.5) within group (order by ms) as "p50Ms",
          percentile_cont(0.95) within group (order by ms) as "p95Ms"
        from (
          select ${msBetween(sql`r.real_end_at`, sql`r.archived_at`)} as ms
          from archive.rooms r
          where r.archived_at > ${later(now, -86_400_000)} and r.real_end_at is not null
        ) as fresh`.execute(tx)
      const { rows: sweeps } = await sql<SweepStatus>`
        select sdk_app_id as "sdkAppId", swept_from as "sweptFrom", swept_until as "sweptUntil", started_at as "startedAt",
          finished_at as "finishedAt", rooms, error_message as "errorMessage"
        from archive.sweeps order by sdk_app_id`.execute(tx)
      const { rows: budgets } = await sql<BudgetStatus>`
        select budget, greatest(0, ${backlogMs}) as "backlogMs",
          ${slotsLastMinute} as "lastMinute"
        from archive.budgets order by budget`.execute(tx)
      const [count] = counts
      const [fresh] = freshness
      if (!count || !fresh) throw new TypeError('The status has no rows.')
      return { days, waiting, ...count, freshness: fresh, sweeps, budgets }
    })
}

/**
 * Of `known_rooms k` and `jobs j`, either of which may lack the room: planned rooms and classes going on are not meant,
 * unless that was so long ago that nobody can have looked since. A room of which LCIC does not say how far it is, is.
 */
function isOver(now: Instant) {
  return sql`(
    coalesce(k.status, 2) in (2, 3) or coalesce(j.state, 'pending') <> 'pending'
    or coalesce(j.deadline_at < ${now}, false))`
}

/** A room that was not archived, and why. */
export interface UnarchivedRoom {
  readonly roomId: bigint
  readonly state: JobState
  readonly endedAt: Date | null
  readonly deadlineAt: Date
  readonly attempts: number
  readonly errorCode: string | null
  readonly message: string | null
  readonly requestId: string | null
}

/** Rooms that were given up or are missing; those whose data are deleted first come first. */
export async function readFailedRooms(db: Kysely<Database>, { limit }: { limit: number }): Promise<UnarchivedRoom[]> {
  const { rows } = await sql<UnarchivedRoom>`
    select room_id as "roomId", state, ended_at as "endedAt", deadline_at as "deadlineAt", attempts,
      last_error_code as "errorCode", last_error_message as message, last_request_id as "requestId"
    from archive.jobs
    where state in ('failed', 'missing')
    order by deadline_at, room_id
    limit ${limit}`.execute(db)
  return rows
}
