import { type Kysely, sql } from 'kysely'
import type { Lease } from './leases'
import type { Database, JobState } from './tables'

/** Marks the room as archived and gives the lease back. */
export async function completeJob(
  db: Kysely<Database>,
  {
    lease,
    now,
    endedAt,
    requestId,
  }: { lease: Lease; now: Date; endedAt: number | null; requestId: string | undefined },
): Promise<void> {
  await sql`
    update archive.jobs
    set state = 'archived', attempts = 0, archived_at = ${now}, updated_at = ${now},
      ended_at = coalesce(to_timestamp(${endedAt}::float8), ended_at),
      last_error_code = null, last_error_message = null,
      last_request_id = coalesce(${requestId ?? null}, last_request_id),
      leased_by = null, lease_until = null
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}`.execute(db)
}

export interface Deferral {
  readonly lease: Lease
  readonly now: Date
  /** The state of a room that was never archived; one that was stays archived, whatever a later read says. */
  readonly state: JobState
  readonly dueAt: Date
  readonly costsAttempt: boolean
  readonly errorCode: string
  readonly errorMessage: string
  readonly requestId: string | undefined
}

/** Puts the room off, says why, and gives the lease back. @returns the job's state afterwards; nothing if the lease was lost */
export async function deferJob(
  db: Kysely<Database>,
  { lease, now, state, dueAt, costsAttempt, errorCode, errorMessage, requestId }: Deferral,
): Promise<{ state: JobState } | undefined> {
  const { rows } = await sql<{ state: JobState }>`
    update archive.jobs
    set state = case when archived_at is null then ${state} else 'archived' end,
      due_at = ${dueAt}, attempts = attempts + ${costsAttempt ? 1 : 0}, updated_at = ${now},
      last_error_code = ${errorCode}, last_error_message = ${errorMessage},
      last_request_id = coalesce(${requestId ?? null}, last_request_id),
      leased_by = null, lease_until = null
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}
    returning state`.execute(db)
  return rows[0]
}

/** Gives the lease back and leaves the job as it was. */
export async function releaseJob(db: Kysely<Database>, { lease, now }: { lease: Lease; now: Date }): Promise<void> {
  await sql`
    update archive.jobs set leased_by = null, lease_until = null, updated_at = ${now}
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}`.execute(db)
}
