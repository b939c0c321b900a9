import { type Kysely, sql } from 'kysely'
import type { Database, HintSource } from './tables'

/** Makes sure that each room has a job. Rooms that have one keep it as it is: naming a room twice changes nothing. */
export async function hintRooms(
  db: Kysely<Database>,
  { roomIds, hintedBy, now }: { roomIds: readonly bigint[]; hintedBy: HintSource; now: Date },
): Promise<void> {
  await sql`
    insert into archive.jobs (room_id, due_at, hinted_by, created_at, updated_at)
    select room_id, ${now}, ${hintedBy}, ${now}, ${now}
    from unnest(${roomIds.map(String)}::bigint[]) as hint (room_id)
    on conflict (room_id) do nothing`.execute(db)
}
