import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import { earliestHinted } from './settle-job'
import type { Database } from './tables'

/**
 * Makes jobs due now, as if nothing had failed yet: archived rooms are read once more.
 *
 * @param rooms these, or all that were given up
 * @returns the rooms that have a job
 */
export async function retryRooms(
  db: Kysely<Database>,
  { rooms, now }: { rooms: readonly bigint[] | 'failed'; now: Instant },
): Promise<bigint[]> {
  const chosen = rooms === 'failed' ? sql`state = 'failed'` : sql`room_id = any (${rooms.map(String)}::bigint[])`
  const { rows } = await sql<{ room_id: bigint }>`
    update archive.jobs
    set state = case when archived_at is null then 'pending' else 'archived' end, attempts = 0,
      due_at = case when leased_by is not null then ${earliestHinted(sql`last_attempt_at`, now)} else ${now} end,
      hinted_at = case when leased_by is not null then greatest(${now}, last_attempt_at) else hinted_at end,
      reason = null, reason_since = null, failing_since = null, updated_at = ${now}
    where room_id = any (array(select room_id from archive.jobs where ${chosen} order by room_id for update))
    returning room_id`.execute(db)
  return rows.map((row) => row.room_id)
}
