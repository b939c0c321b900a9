import { type Kysely, sql } from 'kysely'
import type { Trace } from './find-traces'
import type { Instant } from './instant'
import type { Database } from './tables'

/** Rooms of an app that name the member as their teacher. */
function taughtBy(trace: Trace, sdkAppId: bigint | null) {
  return sql`teacher_id = any (${trace.userIds}::text[]) and coalesce(sdk_app_id = ${sdkAppId}::bigint, true)`
}

export async function countTaughtRooms(
  db: Kysely<Database>,
  { trace, sdkAppId }: { trace: Trace; sdkAppId: bigint | null },
): Promise<number> {
  const { rows } = await sql<{ rooms: number }>`
    select count(*)::int as rooms from (
      select room_id from archive.known_rooms where ${taughtBy(trace, sdkAppId)}
      union
      select room_id from archive.rooms where ${taughtBy(trace, sdkAppId)}) as taught`.execute(db)
  return rows[0]?.rooms ?? 0
}

/** Rooms changed by one statement. */
const ROOMS_AT_ONCE = 500

/** Rooms name no teacher in place of the member. @returns how many did */
export async function eraseTeacher(
  db: Kysely<Database>,
  {
    table,
    trace,
    sdkAppId,
    now,
  }: { table: 'known_rooms' | 'rooms'; trace: Trace; sdkAppId: bigint | null; now: Instant },
): Promise<number> {
  const isRooms = table === 'rooms'
  for (let erased = 0; ; ) {
    const { numAffectedRows = 0n } = await sql`
      update ${sql.id('archive', table)}
      set teacher_id = '', changed_at = ${now}${isRooms ? sql`, revision = revision + 1` : sql``}
      where room_id = any (array(
        select room_id from ${sql.id('archive', table)} where ${taughtBy(trace, sdkAppId)}
        order by room_id
        limit ${ROOMS_AT_ONCE}
        for update))`.execute(db)
    erased += Number(numAffectedRows)
    if (numAffectedRows < ROOMS_AT_ONCE) return erased
  }
}
