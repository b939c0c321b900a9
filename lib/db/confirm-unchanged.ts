import { type Kysely, sql } from 'kysely'
import { type RunResult, runFinished } from './finish-run'
import { type Completion, jobCompleted } from './settle-job'
import type { Database } from './tables'

/**
 * Closes a read that said nothing new, in one statement that commits by itself: run and job are settled, and its pages are
 * forgotten.
 *
 * @returns false, and nothing is done, if the archive has not got so many members any more, or the lease is lost
 */
export async function confirmUnchanged(
  db: Kysely<Database>,
  { members, run, completion }: { members: number; run: RunResult; completion: Completion },
): Promise<boolean> {
  const { roomId, attempt } = run
  const isSame = sql<boolean>`(select is_same from verdict)`
  const { rows } = await sql<{ is_same: boolean }>`
    with lease as materialized (
      select from archive.jobs where room_id = ${roomId} and leased_by = ${completion.lease.holder} for update
    ), verdict as materialized (
      select exists (select from lease) and (
        select count(*) from archive.member_records where room_id = ${roomId} and removed_at is null) = ${members} as is_same
    ), run as (${runFinished(run, isSame)}),
    discarded as (
      delete from archive.raw_pages where room_id = ${roomId} and attempt = ${attempt} and ${isSame}
    ), job as (${jobCompleted(completion, isSame)})
    select is_same from verdict`.execute(db)
  return rows[0]?.is_same ?? false
}
