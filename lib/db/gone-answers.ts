import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** How often, and since when, LCIC has said without a break that there is no such room. */
export async function goneAnswers(
  db: Kysely<Database>,
  roomId: bigint,
): Promise<{ answers: number; since: Date | null }> {
  const { rows } = await sql<{ answers: number; since: Date | null }>`
    select count(*)::int as answers, min(started_at) as since
    from archive.runs
    where room_id = ${roomId} and outcome = 'gone' and attempt > coalesce((
      select max(attempt) from archive.runs
      where room_id = ${roomId} and outcome in (
        'archived', 'unchanged', 'shrunk', 'emptied', 'inconsistent', 'not_ready', 'not_ended', 'expired')), 0)`.execute(
    db,
  )
  return rows[0] ?? { answers: 0, since: null }
}
