import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import type { Database, JobState } from './tables'

/** How many of these rooms are archived, or never will be: they expired. */
export async function countSettled(db: Kysely<Database>, roomIds: readonly bigint[]): Promise<number> {
  const { rows } = await sql<{ rooms: number }>`
    select count(*)::int as rooms from archive.jobs
    where room_id = any (${roomIds.map(String)}::bigint[]) and state in ('archived', 'expired')`.execute(db)
  return rows[0]?.rooms ?? 0
}

/** Rooms that are not archived, and did not expire either. */
export interface Unsettled {
  /** Null: they have no job. */
  readonly state: JobState | null
  readonly reason: string | null
  readonly rooms: number
}

/** Which of these rooms are neither archived nor expired, by state and reason. */
export async function countUnsettled(db: Kysely<Database>, roomIds: readonly bigint[]): Promise<Unsettled[]> {
  const { rows } = await sql<Unsettled>`
    select j.state, j.reason, count(*)::int as rooms
    from unnest(${roomIds.map(String)}::bigint[]) as named (room_id)
    left join archive.jobs j using (room_id)
    where j.state is null or j.state not in ('archived', 'expired')
    group by j.state, j.reason
    order by count(*) desc`.execute(db)
  return rows
}

/** How many pages of `limit` records a room has on average; 1 while nothing is archived. */
export async function averagePages(db: Kysely<Database>, limit: number): Promise<number> {
  const { rows } = await sql<{ pages: number }>`
    select coalesce(avg(greatest(1, ceil(total / ${limit}::float8))), 1)::float8 as pages from archive.rooms`.execute(
    db,
  )
  return rows[0]?.pages ?? 1
}

/** How many rows a table has. */
export async function countRows(
  db: Kysely<Database>,
  table: keyof Database | `archive.${'course_rules' | 'tenants' | 'erasures'}`,
): Promise<number> {
  const { rows } = await sql<{ rows: number }>`select count(*)::float8 as rows from ${sql.table(table)}`.execute(db)
  return rows[0]?.rows ?? 0
}

/** How many rooms are due, those to be read once more included. */
export async function countDue(db: Kysely<Database>, { now }: { now: Instant }): Promise<number> {
  const { rows } = await sql<{ rooms: number }>`
    select count(*)::int as rooms from archive.jobs
    where state in ('pending', 'archived') and due_at <= ${now}`.execute(db)
  return rows[0]?.rooms ?? 0
}
