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

export interface StoredCallbacks {
  /** A room that was named is due now, and nobody works on it. */
  readonly isDue: boolean
  /** Rooms whose jobs are locked at this moment: their callbacks were not stored. */
  readonly lockedRooms: ReadonlySet<bigint>
}

/**
 * Stores callbacks and hints at their rooms, in one transaction: both are there, or neither.
 *
 * A job is locked while its room's snapshot is written: seconds, for a large class. Unless `waits`, callbacks that name
 * such a room are left out, so that they hold up no other.
 *
 * @param isReduced whether only what names nobody is stored of them; once a member was erased, that is so in any case.
 *   The statement locks the table before it looks whether one was, and `erase-member` waits for those that came first.
 */
export async function storeCallbacks(
  db: Kysely<Database>,
  {
    callbacks,
    now,
    waits = true,
    isReduced = false,
  }: { callbacks: readonly RoomEndCallback[]; now: Instant; waits?: boolean; isReduced?: boolean },
): Promise<StoredCallbacks> {
  return db.transaction().execute(async (tx) => {
    const lockedRooms = waits ? new Set<bigint>() : await lockedAmong(tx, callbacks)
    const stored = callbacks.filter(({ roomId }) => !lockedRooms.has(roomId))
    if (stored.length === 0) return { isDue: false, lockedRooms }
    const roomIds = stored.map(({ roomId }) => String(roomId))
    await sql`
      insert into archive.callbacks (received_at, event_type, room_id, body)
      select ${now}, event_type, room_id,
        case when ${isReduced} or exists (select from archive.erasures) then ${reducedBody} else body end
      from unnest(
        ${stored.map(({ eventType }) => eventType)}::text[],
        ${roomIds}::bigint[],
        ${stored.map(({ body }) => body)}::json[]) as callback (event_type, room_id, body)`.execute(tx)
    await hintRooms(tx, { hints: stored, hintedBy: 'callback', now })
    const { rows } = await sql<{ waits: boolean }>`
      select exists (
        select from archive.jobs
        where room_id = any (${roomIds}::bigint[]) and state = 'pending' and due_at <= ${now}
          and (lease_until is null or lease_until <= ${now})) as waits`.execute(tx)
    return { isDue: rows[0]?.waits ?? false, lockedRooms }
  })
}

/** What a callback's body says of the event, its time, app and room. */
export const reducedBody = sql`(
  select json_object_agg(key, case key when 'EventData' then json_build_object('RoomId', value -> 'RoomId') else value end)
  from json_each(body)
  where key in ('EventType', 'SdkAppId', 'Timestamp', 'ExpireTime', 'EventData'))`

/**
 * Who holds a row's lock is in its xmax, and holds the lock of that transaction. Nothing is locked for this: whoever held
 * some jobs, and waited for others, might wait for somebody who waits for him.
 */
async function lockedAmong(tx: Kysely<Database>, callbacks: readonly RoomEndCallback[]): Promise<Set<bigint>> {
  const { rows } = await sql<{ room_id: bigint }>`
    select j.room_id
    from archive.jobs j
    join pg_locks l on l.locktype = 'transactionid' and l.transactionid = j.xmax and l.granted
    where j.room_id = any (${callbacks.map(({ roomId }) => String(roomId))}::bigint[])`.execute(tx)
  return new Set(rows.map(({ room_id }) => room_id))
}
