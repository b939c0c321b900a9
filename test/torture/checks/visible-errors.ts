import { type Kysely, sql } from 'kysely'
import type { Database } from '../../../lib/db/tables'
import type { Violation } from './violation'

/** Outcomes that no fault of a round calls for: what is refused for what it is, and what a refusal for pace cost a room. */
const UNCALLED_FOR = ['rejected', 'refused', 'throttled', 'shrunk', 'emptied']

/** What a room that lost a member is called until that is believed. */
const SHRUNK = 'shrunk'

/**
 * Runs and jobs that do not say how they stand, once all workers have ended: each run has an outcome, each failed one a
 * reason, each room that is not archived its last error, and nobody holds a lease.
 *
 * @param changes rooms whose source has changed
 */
export async function findInvisibleErrors(
  db: Kysely<Database>,
  changes: ReadonlyMap<bigint, number>,
): Promise<Violation[]> {
  const changed = [...changes.keys()].map(String)
  const runs = await sql<{ room_id: bigint; what: string }>`
    select room_id, 'run ' || attempt || case
        when finished_at is null or outcome is null then ' was never closed'
        when outcome = any (${UNCALLED_FOR}::text[]) then ' is ' || outcome || ' (' || coalesce(error_code, '-') || ')'
        else ' is ' || outcome || ', and does not say why' end as what
    from archive.runs
    where finished_at is null or outcome is null
      or outcome = any (${UNCALLED_FOR}::text[])
        and not (outcome = ${SHRUNK} and room_id = any (${changed}::bigint[]))
      or outcome not in ('archived', 'unchanged') and coalesce(error_message, '') = ''`.execute(db)
  const jobs = await sql<{ room_id: bigint; what: string }>`
    select room_id, case
        when leased_by is not null then 'its job is still held'
        when state = 'failed' then 'its job was given up'
        when state = 'archived' then 'it is archived, and its job keeps an error'
        else 'its job is ' || state || ', and does not say why' end as what
    from archive.jobs
    where leased_by is not null or state = 'failed'
      or state = 'archived' and (attempts > 0 or last_error_code is not null)
      or state <> 'archived' and (last_error_code is null or last_error_message is null)`.execute(db)
  return [...runs.rows, ...jobs.rows].map(({ room_id: roomId, what }) => ({ check: 'error not visible', roomId, what }))
}
