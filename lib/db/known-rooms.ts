import { type Kysely, sql } from 'kysely'
import type { Instant } from './instant'
import { isErased } from './read-erasures'
import type { Database } from './tables'

/** What LCIC tells of a room by itself. Absent or null: it does not say, and what is known stays. Times are Unix seconds. */
export interface KnownRoom {
  readonly roomId: bigint
  readonly sdkAppId?: bigint | null
  /** 0 not started, 1 in class, 2 ended, 3 expired. */
  readonly status?: number | null
  readonly name?: string | null
  /** Empty: LCIC names none. */
  readonly teacherId?: string | null
  readonly roomType?: number | null
  readonly scheduledStartTime?: number | null
  readonly scheduledEndTime?: number | null
  readonly realStartTime?: number | null
  readonly realEndTime?: number | null
}

/**
 * Remembers what LCIC tells of rooms. Rows that say so already are not written. A teacher who was erased is none: the
 * statement locks the table before it looks who was, and `erase-member` waits for those that came first.
 *
 * @param listed whether GetRooms told it
 * @returns those of the rooms that have newly ended or expired, and those that have no job
 */
export async function recordRooms(
  db: Kysely<Database>,
  { rooms, listed, now }: { rooms: readonly KnownRoom[]; listed: boolean; now: Instant },
): Promise<bigint[]> {
  const told = [...new Map(rooms.map((room) => [room.roomId, room])).values()].map(({ roomId, sdkAppId, ...room }) => ({
    ...room,
    roomId: String(roomId),
    sdkAppId: sdkAppId ? String(sdkAppId) : null,
  }))
  const { rows } = await sql<{ room_id: bigint }>`
    with told as materialized (
      select "roomId" as room_id, "sdkAppId" as sdk_app_id, status, name, "teacherId" as teacher_id,
        "roomType" as room_type, to_timestamp("scheduledStartTime") as scheduled_start_at,
        to_timestamp("scheduledEndTime") as scheduled_end_at, to_timestamp("realStartTime") as real_start_at,
        to_timestamp("realEndTime") as real_end_at
      from jsonb_to_recordset(${JSON.stringify(told)}::jsonb) as room (
        "roomId" bigint, "sdkAppId" bigint, status int, name text, "teacherId" text, "roomType" int,
        "scheduledStartTime" float8, "scheduledEndTime" float8, "realStartTime" float8, "realEndTime" float8)
    ), merged as materialized (
      select room_id, k.status as status_before,
        coalesce(t.sdk_app_id, k.sdk_app_id) as sdk_app_id, coalesce(t.status, k.status) as status,
        coalesce(t.name, k.name) as name,
        case when ${isErased(sql`coalesce(t.teacher_id, k.teacher_id)`, sql`coalesce(t.sdk_app_id, k.sdk_app_id)`)}
          then '' else coalesce(t.teacher_id, k.teacher_id) end as teacher_id,
        coalesce(t.room_type, k.room_type) as room_type,
        coalesce(t.scheduled_start_at, k.scheduled_start_at) as scheduled_start_at,
        coalesce(t.scheduled_end_at, k.scheduled_end_at) as scheduled_end_at,
        coalesce(t.real_start_at, k.real_start_at) as real_start_at,
        coalesce(t.real_end_at, k.real_end_at) as real_end_at,
        case when ${listed} then coalesce(k.listed_at, ${now}) else k.listed_at end as listed_at,
        (k.sdk_app_id, k.status, k.name, k.teacher_id, k.room_type, k.scheduled_start_at, k.scheduled_end_at,
          k.real_start_at, k.real_end_at, k.listed_at) as known
      from told t left join archive.known_rooms k using (room_id)
    ), changed as materialized (
      select * from merged
      where known is distinct from (sdk_app_id, status, name, teacher_id, room_type, scheduled_start_at,
        scheduled_end_at, real_start_at, real_end_at, listed_at)
    ), written as (
      insert into archive.known_rooms (
        room_id, sdk_app_id, status, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at,
        real_start_at, real_end_at, listed_at, changed_at)
      select room_id, sdk_app_id, status, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at,
        real_start_at, real_end_at, listed_at, ${now}
      from changed
      order by room_id
      on conflict (room_id) do update set
        sdk_app_id = excluded.sdk_app_id, status = excluded.status, name = excluded.name,
        teacher_id = excluded.teacher_id, room_type = excluded.room_type,
        scheduled_start_at = excluded.scheduled_start_at, scheduled_end_at = excluded.scheduled_end_at,
        real_start_at = excluded.real_start_at, real_end_at = excluded.real_end_at,
        listed_at = excluded.listed_at, changed_at = excluded.changed_at
    )
    select m.room_id from merged m
    where m.status in (2, 3) and m.status_before is distinct from m.status
      or not exists (select from archive.jobs j where j.room_id = m.room_id)`.execute(db)
  return rows.map((row) => row.room_id)
}

/**
 * Brings archived rooms up to what is known of them. Not in one transaction with hints: who archives a room locks its job
 * first, and then the room.
 */
export async function copyFacts(db: Kysely<Database>, roomIds: readonly bigint[]): Promise<void> {
  await sql`
    with outdated as (
      select r.room_id from archive.rooms r
      join archive.known_rooms k using (room_id)
      where r.room_id = any (${roomIds.map(String)}::bigint[])
        and (r.sdk_app_id, r.name, r.teacher_id, r.room_type, r.scheduled_start_at, r.scheduled_end_at)
          is distinct from
            (coalesce(k.sdk_app_id, r.sdk_app_id), k.name, k.teacher_id, k.room_type, k.scheduled_start_at, k.scheduled_end_at)
      order by r.room_id
      for no key update of r
    )
    update archive.rooms r
    set sdk_app_id = coalesce(k.sdk_app_id, r.sdk_app_id), name = k.name, teacher_id = k.teacher_id, room_type = k.room_type,
      scheduled_start_at = k.scheduled_start_at, scheduled_end_at = k.scheduled_end_at
    from outdated join archive.known_rooms k using (room_id)
    where r.room_id = outdated.room_id`.execute(db)
}

/**
 * Rooms of which LCIC is to be asked what is planned: classes that go on although their planned end has passed, since
 * they may have been moved to a day that sweeps do not list yet; then archived rooms of which it is not known who taught
 * them, the newest first.
 */
export async function roomsToDescribe(
  db: Kysely<Database>,
  { now, since, limit }: { now: Instant; since: Instant; limit: number },
): Promise<bigint[]> {
  const { rows } = await sql<{ room_id: bigint }>`
    (select j.room_id from archive.jobs j
      join archive.known_rooms k using (room_id)
      where j.state = 'pending' and j.reason = 'not_ended' and k.scheduled_end_at < ${now}
      order by k.scheduled_end_at desc
      limit ${limit})
    union all
    (select room_id from archive.rooms
      where teacher_id is null and archived_at > ${since}
      order by archived_at desc
      limit ${limit})`.execute(db)
  return rows.map((row) => row.room_id)
}

/** Those of these apps of which LCIC has never listed a room. */
export async function appsWithoutRooms(db: Kysely<Database>, sdkAppIds: readonly bigint[]): Promise<bigint[]> {
  const { rows } = await sql<{ app: bigint }>`
    select app from unnest(${sdkAppIds.map(String)}::bigint[]) as app
    where not exists (select from archive.known_rooms k where k.sdk_app_id = app)`.execute(db)
  return rows.map(({ app }) => app)
}
