import { type Kysely, sql } from 'kysely'
import { msBetween } from './instant'
import type { Database } from './tables'

/** When statistics became ready, in milliseconds after the end of the class: not before the one, by the other. */
export interface Readiness {
  readonly fromMs: number
  readonly toMs: number
}

/** Of so many rooms. */
const ROOMS = 3

/** So many are looked through for them. */
const CANDIDATES = 50

/** What was found out less precisely than this says nothing. */
const PRECISION = sql`interval '1 hour'`

/** When the statistics of the rooms became ready that were archived last after they had not been: all of them within. */
export async function recentReadiness(db: Kysely<Database>): Promise<Readiness | undefined> {
  const { rows } = await sql<{ fromMs: number | null; toMs: number | null }>`
    select min(${msBetween(sql`ended_at`, sql`not_ready_until`)}) as "fromMs",
      max(${msBetween(sql`ended_at`, sql`ready_by`)}) as "toMs"
    from (
      select j.ended_at, j.not_ready_until, r.archived_at as ready_by
      from (
        select room_id, ended_at, not_ready_until, archived_at
        from archive.jobs
        where not_ready_until is not null and archived_at is not null
        order by archived_at desc
        limit ${CANDIDATES}
      ) as j
      join archive.rooms r using (room_id)
      where j.ended_at < j.not_ready_until
        and r.archived_at - j.not_ready_until between interval '0' and ${PRECISION}
      order by j.archived_at desc
      limit ${ROOMS}
    ) as recent`.execute(db)
  const { fromMs = null, toMs = null } = rows[0] ?? {}
  return fromMs === null || toMs === null ? undefined : { fromMs, toMs }
}
