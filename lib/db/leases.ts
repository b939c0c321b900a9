import { type Kysely, sql } from 'kysely'
import { type Instant, later, msBetween } from './instant'
import type { Database } from './tables'

/** The right to work on a room, for a time. Whoever lost it writes nothing more: every statement asks for it. */
export interface Lease {
  readonly roomId: bigint
  /** Different for each claim. */
  readonly holder: string
}

/** A room taken because it was due. */
export interface ClaimedRoom extends Lease {
  /** LCIC refused the last request for it. */
  readonly wasRefused: boolean
}

/** How long a lease lasts when it is not renewed; each landed page, each retry and each long wait renews it. */
export const LEASE_MS = 60_000

/**
 * Takes the lease of a room's job, if it is free, has run out, or is held by one of `dead`. A job that is locked at this
 * moment is being worked on, and is not waited for.
 *
 * A room that nobody would ask for any more (archived, given up, missing, expired) is due from then on: if this process
 * dies, or loses the database, others do what it was told to.
 *
 * @returns whether the lease was to be had
 */
export async function claimRoom(
  db: Kysely<Database>,
  { lease, now, dead = [] }: { lease: Lease; now: Instant; dead?: readonly string[] },
): Promise<boolean> {
  const { rows } = await sql`
    update archive.jobs
    set leased_by = ${lease.holder}, lease_until = ${later(now, LEASE_MS)}, last_attempt_at = ${now},
      updated_at = ${now},
      state = case when state = 'archived' then state else 'pending' end,
      due_at = case when state = 'pending' then due_at else ${now}::timestamptz end
    where room_id = (
        select room_id from archive.jobs where room_id = ${lease.roomId} for update skip locked
      ) and ${isFree(now, dead)}
    returning room_id`.execute(db)
  return rows.length === 1
}

/** Jobs whose time has come that one claim wakes; those that are left are woken by the next. */
const MOST_WOKEN = 50

/**
 * Takes the leases of rooms that are due: those to be archived first, the oldest deadline before all others, then those
 * to be read once more. Each row that another process is claiming at this moment is passed over.
 *
 * @returns besides, how many jobs it has found to be due by now: they can be had by the next claim
 */
export async function claimDueRooms(
  db: Kysely<Database>,
  { holder, now, limit, dead = [] }: { holder: string; now: Instant; limit: number; dead?: readonly string[] },
): Promise<{ leases: ClaimedRoom[]; woken: number }> {
  const { rows } = await sql<{ room_id: bigint | null; leased_by: string; refused: boolean; woken: number }>`
    with woken as (
      update archive.jobs set waits = false
      where room_id = any (array(
        select room_id from archive.jobs
        where state = 'pending' and waits and due_at <= ${now}
        order by due_at
        limit ${MOST_WOKEN}
        for update skip locked))
      returning room_id
    ), unarchived as materialized (
      select room_id from archive.jobs
      where state = 'pending' and not waits and due_at <= ${now} and ${isFree(now, dead)}
      order by deadline_at, due_at
      limit ${limit}
      for update skip locked
    ), rereads as materialized (
      select room_id from archive.jobs
      where state = 'archived' and due_at <= ${now} and ${isFree(now, dead)}
      order by due_at
      limit greatest(0, ${limit}::int - (select count(*) from unarchived))
      for update skip locked
    ), claimed as (
      update archive.jobs
      set leased_by = ${holder} || '-' || room_id, lease_until = ${later(now, LEASE_MS)}, last_attempt_at = ${now},
        updated_at = ${now}
      where room_id = any (array(select room_id from unarchived union all select room_id from rereads))
      returning room_id, leased_by, reason is not distinct from 'refused' as refused
    )
    select c.*, w.woken from (select count(*)::int as woken from woken) as w left join claimed as c on true`.execute(db)
  const leases = rows.flatMap(({ room_id, leased_by, refused }) =>
    room_id === null ? [] : [{ roomId: room_id, holder: leased_by, wasRefused: refused }],
  )
  return { leases, woken: rows[0]?.woken ?? 0 }
}

/**
 * `dead` are holders of single rooms, or of all that one claim has taken. No lease lasts longer than {@link LEASE_MS}: one
 * that seems to is from before the server's clock was set back.
 */
function isFree(now: Instant, dead: readonly string[]) {
  return sql`(
    lease_until is null or lease_until <= ${now} or lease_until > ${later(now, 2 * LEASE_MS)}
    or ${dead.length > 0} and (
      leased_by = any (${dead}::text[]) or regexp_replace(leased_by, '-\\d+$', '') = any (${dead}::text[])))`
}

/** Whether a room has a job, and who works on it. */
export async function findJob(db: Kysely<Database>, roomId: bigint): Promise<{ leased_by: string | null } | undefined> {
  return db.selectFrom('archive.jobs').select('leased_by').where('room_id', '=', roomId).executeTakeFirst()
}

/** Who works on rooms that are due. */
export async function leaseHolders(db: Kysely<Database>, { now }: { now: Instant }): Promise<string[]> {
  const { rows } = await sql<{ leased_by: string }>`
    select leased_by from archive.jobs
    where state = 'pending' and not waits and leased_by is not null
    union
    select leased_by from archive.jobs
    where state = 'archived' and leased_by is not null and due_at <= ${now}`.execute(db)
  return rows.map((row) => row.leased_by)
}

/** @returns milliseconds until the next job is due, none or less if one is; `undefined` if none ever will be */
export async function nextDueInMs(db: Kysely<Database>, { now }: { now: Instant }): Promise<number | undefined> {
  const { rows } = await sql<{ ms: number | null }>`
    select ${msBetween(now, sql`min(due_at)`)} as ms
    from (
      (select due_at from archive.jobs where state = 'pending' and waits and due_at is not null order by due_at limit 1)
      union all
      (select min(due_at) from archive.jobs where state = 'pending' and not waits)
      union all
      (select due_at from archive.jobs where state = 'archived' and due_at is not null order by due_at limit 1)
    ) as next`.execute(db)
  return rows[0]?.ms ?? undefined
}

/** @returns whether the lease was still held */
export async function renewLease(
  db: Kysely<Database>,
  { lease, now }: { lease: Lease; now: Instant },
): Promise<boolean> {
  const { rows } = await sql`
    update archive.jobs set lease_until = ${later(now, LEASE_MS)}
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
