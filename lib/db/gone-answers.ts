import { type Kysely, sql } from 'kysely'
import { type Instant, msBetween } from './instant'
import type { Database } from './tables'

/**
 * How often, and for how long, LCIC has said without a break that there is no such room: since the room was first named,
 * named anew, or made due by hand.
 */
export async function goneAnswers(
  db: Kysely<Database>,
  { roomId, now }: { roomId: bigint; now: Instant },
): Promise<{ answers: number; spanMs: number }> {
  const { rows } = await sql<{ answers: number; spanMs: number }>`
    select count(*)::int as answers, coalesce(${msBetween(sql`min(finished_at)`, now)}, 0) as "spanMs"
    from archive.runs
    where room_id = ${roomId} and outcome = 'gone'
      and finished_at >= coalesce((select failing_since from archive.jobs where room_id = ${roomId}), ${now})
      and attempt > coalesce((
      select max(attempt) from archive.runs
      where room_id = ${roomId} and outcome in (
        'archived', 'unchanged', 'shrunk', 'emptied', 'inconsistent', 'not_ready', 'not_ended', 'expired')), 0)`.execute(
    db,
  )
  return rows[0] ?? { answers: 0, spanMs: 0 }
}
