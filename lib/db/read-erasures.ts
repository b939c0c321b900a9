import { createHash } from 'node:crypto'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from './tables'

/** Who was erased, as far as it concerns one room. */
export interface Erasures {
  /** Number of the newest erasure that this knows of; 0: of none. */
  readonly newest: bigint
  /** Whether a user of this id was erased, in the app of the room; in whatever app, while the room's is not known. */
  isErased(userId: string): boolean
}

/** The erasures that concern a room. No id is in them: who asks has to know it. */
export async function readErasures(db: Kysely<Database>, roomId: bigint): Promise<Erasures> {
  const { rows } = await sql<{ salt: Buffer; newest: bigint; digests: string[] }>`
    select s.salt, coalesce(max(e.erasure_id), 0) as newest,
      array_agg(encode(digest, 'hex')) filter (
        where digest is not null and coalesce(e.sdk_app_id = room.sdk_app_id, true)) as digests
    from archive.erasure_salt s
    cross join (select ${appOf(sql`${roomId}::bigint`)} as sdk_app_id) as room
    left join archive.erasures e on true
    left join lateral unnest(e.digests) as digest on true
    group by s.salt`.execute(db)
  const [row] = rows
  if (!row) throw new TypeError('archive.erasure_salt is empty.')
  const digests = new Set(row.digests)
  return { newest: row.newest, isErased: (userId) => digests.has(saltedDigest(row.salt, userId).toString('hex')) }
}

/** What stands for a user id in `erasures`. */
export function saltedDigest(salt: Buffer, userId: string): Buffer {
  return createHash('sha256').update(salt).update(userId).digest()
}

/** Whether a user id is that of an erased member of an app; nothing is computed while nobody was erased. */
export function isErased(userId: RawBuilder<unknown>, sdkAppId: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`(${userId} <> '' and exists (
    select from archive.erasures e
    where coalesce(e.sdk_app_id = ${sdkAppId}, true)
      and sha256((select salt from archive.erasure_salt) || convert_to(${userId}, 'UTF8')) = any (e.digests)))`
}

/** The app that a room belongs to; null while that is not known. */
export function appOf(roomId: RawBuilder<unknown>): RawBuilder<bigint | null> {
  return sql`coalesce(
    (select k.sdk_app_id from archive.known_rooms k where k.room_id = ${roomId}),
    (select j.sdk_app_id from archive.jobs j where j.room_id = ${roomId}))`
}
