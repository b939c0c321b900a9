import { type Kysely, sql } from 'kysely'
import { hintRooms } from './hint-rooms'
import type { Instant } from './instant'
import type { Database } from './tables'

/** A callback that was believed, and names a room that has ended. */
export interface RoomEndCallback {
  readonly roomId: bigint
  readonly sdkAppId: bigint | null
  readonly eventType: string
  /** JSON, as it came. */
  readonly body: string
}

/**
 * Stores callbacks and hints at their rooms, in one transaction: both are there, or neither.
 *
 * @returns whether one of the rooms is due now, and nobody works on it
 */
export async function storeCallbacks(
  db: Kysely<Database>,
  { callbacks, now }: { callbacks: readonly RoomEndCallback[]; now: Instant },
): Promise<boolean> {
  const roomIds = callbacks.map(({ roomId }) => String(roomId))
  return db.transaction().execute(async (tx) => {
    await sql`
      insert into archive.callbacks (received_at, event_type, room_id, body)
      select ${now}, event_type, room_id, body
      from unnest(
        ${callbacks.map(({ eventType }) => eventType)}::text[],
        ${roomIds}::bigint[],
        ${callbacks.map(({ body }) => body)}::json[]) as callback (event_type, room_id, body)`.execute(tx)
    await hintRooms(tx, { hints: callbacks, hintedBy: 'callback', now })
    const { rows } = await sql<{ waits: boolean }>`
      select exists (
        select from archive.jobs
        where room_id = any (${roomIds}::bigint[]) and state = 'pending' and due_at <= ${now}
          and (lease_until is null or lease_until <= ${now})) as waits`.execute(tx)
    return rows[0]?.waits ?? false
  })
}
