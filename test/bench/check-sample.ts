import { isDeepStrictEqual } from 'node:util'
import { type Kysely, sql } from 'kysely'
import { replayRoom } from '../../lib/archive/replay-room'
import type { Database } from '../../lib/db/tables'

/** Rooms that are looked at. */
const SAMPLE = 200

/**
 * Has the product rebuild some rooms of all ages from their raw pages, and looks whether anything changes: figures, what
 * is derived of them, members.
 *
 * @returns how many rooms
 * @throws Error if a room changed
 */
export async function checkSample(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ room_id: bigint }>`
    select room_id from (
      select room_id, row_number() over (order by room_id) as number, count(*) over () as of from archive.rooms
    ) as r where number % greatest(1, of / ${SAMPLE}::int) = 0`.execute(db)
  for (const { room_id: roomId } of rows) {
    const before = await roomOf(db, roomId)
    const { records, inserted, updated, removed } = await replayRoom(db, roomId)
    const isSame = isDeepStrictEqual(await roomOf(db, roomId), before)
    if (!isSame || inserted + updated + removed > 0 || records === 0)
      throw new Error(
        `Room ${roomId} is not what its raw pages say: ${inserted}, ${updated}, ${removed} of ${records}.`,
      )
  }
  return rows.length
}

async function roomOf(db: Kysely<Database>, roomId: bigint): Promise<unknown> {
  const { rows } = await sql`select * from archive.rooms where room_id = ${roomId}`.execute(db)
  return rows[0]
}
