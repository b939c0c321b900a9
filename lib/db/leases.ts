import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** The right to work on a room, for a time. Whoever lost it writes nothing more: every statement asks for it. */
export interface Lease {
  readonly roomId: bigint
  /** Different for each claim. */
  readonly holder: string
}

/**
 * Takes the lease of a room's job, if it is free, has run out, or is held by one of `dead`. A job that is locked at this
 * moment is being worked on, and is not waited for.
 *
 * @returns the attempts the job has cost so far, or `undefined` if the lease was not to be had
 */
export async function claimRoom(
  db: Kysely<Database>,
  { lease, now, until, dead = [] }: { lease: Lease; now: Date; until: Date; dead?: readonly string[] },
): Promise<number | undefined> {
  const { rows } = await sql<{ attempts: number }>`
    update archive.jobs
    set leased_by = ${lease.holder}, lease_until = ${until}, updated_at = ${now}
    where room_id = (
        select room_id from archive.jobs where room_id = ${lease.roomId} for update skip locked
      ) and (lease_until is null or lease_until <= ${now} or leased_by = any (${dead}::text[]))
    returning attempts`.execute(db)
  return rows[0]?.attempts
}

/** Who holds a room's lease. */
export async function leaseHolder(db: Kysely<Database>, roomId: bigint): Promise<string | undefined> {
  const row = await db.selectFrom('archive.jobs').select('leased_by').where('room_id', '=', roomId).executeTakeFirst()
  return row?.leased_by ?? undefined
}

/** @returns whether the lease was still held */
export async function renewLease(
  db: Kysely<Database>,
  { lease, until }: { lease: Lease; until: Date },
): Promise<boolean> {
  const { rows } = await sql`
    update archive.jobs set lease_until = ${until}
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}
    returning room_id`.execute(db)
  return rows.length === 1
}

/** Locks the job for the rest of the transaction. @returns whether the lease is still held */
export async function lockLease(db: Kysely<Database>, lease: Lease): Promise<boolean> {
  const { rows } = await sql`
    select from archive.jobs
    where room_id = ${lease.roomId} and leased_by = ${lease.holder}
    for update`.execute(db)
  return rows.length === 1
}
