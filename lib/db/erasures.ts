import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import { saltedDigest } from './read-erasures'
import type { Database } from './tables'

export interface Erasure {
  readonly erasureId: bigint
  /** Rooms up to this one have been looked through; null: none yet. */
  readonly scannedTo: bigint | null
}

/**
 * Records that a member is to be erased, before anything of him is deleted. Asked for again, it is the same erasure: one
 * that was not finished goes on, a finished one begins anew.
 *
 * @param userIds under which the member may be known
 * @param sdkAppId null: of whatever app
 */
export async function beginErasure(
  db: Kysely<Database>,
  { userIds, sdkAppId, now }: { userIds: readonly string[]; sdkAppId: bigint | null; now: Instant },
): Promise<Erasure> {
  return db.transaction().execute(async (tx) => {
    // Numbers are given in the order in which they are committed: whoever knows the newest knows all.
    await sql`lock table archive.erasures in share row exclusive mode`.execute(tx)
    const { rows: salts } = await sql<{ salt: Buffer }>`select salt from archive.erasure_salt`.execute(tx)
    const salt = salts[0]?.salt
    if (!salt) throw new TypeError('archive.erasure_salt is empty.')
    const digests = sql`${userIds.map((id) => saltedDigest(salt, id))}::bytea[]`
    const { rows } = await sql<Erasure>`
      with known as (
        select erasure_id from archive.erasures
        where digests @> ${digests} and sdk_app_id is not distinct from ${sdkAppId}::bigint
        order by erasure_id
        limit 1
      ), again as (
        update archive.erasures set finished_at = null where erasure_id in (select erasure_id from known)
        returning erasure_id, scanned_to
      ), created as (
        insert into archive.erasures (sdk_app_id, digests, erased_at)
        select ${sdkAppId}::bigint, ${digests}, ${now}::timestamptz where not exists (select from known)
        returning erasure_id, scanned_to
      )
      select erasure_id as "erasureId", scanned_to as "scannedTo"
      from (select * from again union all select * from created) as erasure`.execute(tx)
    const [erasure] = rows
    if (!erasure) throw new TypeError('The erasure was not recorded.')
    return erasure
  })
}

/** Remembers up to which room nothing is left of the member: an erasure that is begun again goes on there. */
export async function saveErasureProgress(
  db: Kysely<Database>,
  { erasureId, scannedTo }: { erasureId: bigint; scannedTo: bigint },
): Promise<void> {
  await sql`
    update archive.erasures set scanned_to = greatest(scanned_to, ${scannedTo}) where erasure_id = ${erasureId}`.execute(
    db,
  )
}

export async function finishErasure(
  db: Kysely<Database>,
  { erasureId, now }: { erasureId: bigint; now: Instant },
): Promise<void> {
  await sql`
    update archive.erasures set finished_at = ${now}, scanned_to = null where erasure_id = ${erasureId}`.execute(db)
}

/** Counts rooms in which something of the member was found. */
export async function countErasedRooms(
  db: Kysely<Database>,
  { erasureId, rooms }: { erasureId: bigint; rooms: number },
): Promise<void> {
  await sql`update archive.erasures set rooms = rooms + ${rooms} where erasure_id = ${erasureId}`.execute(db)
}

/** Erasures that were begun, and are not finished. */
export async function unfinishedErasures(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ unfinished: number }>`
    select count(*)::int as unfinished from archive.erasures where finished_at is null`.execute(db)
  return rows[0]?.unfinished ?? 0
}
