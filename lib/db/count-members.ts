import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** How many members the archive has of a room, removed ones not counted. */
export async function countMembers(db: Kysely<Database>, roomId: bigint): Promise<number> {
  const { rows } = await sql<{ members: number }>`
    select count(*)::int as members from archive.member_records
    where room_id = ${roomId} and removed_at is null`.execute(db)
  return rows[0]?.members ?? 0
}
