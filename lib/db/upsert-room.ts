import { type Kysely, type RawBuilder, sql } from 'kysely'
import { changedColumns } from './changed-columns'
import type { Instant } from './instant'
import type { Database } from './tables'

/** What a snapshot says of its room as a whole. Times are Unix seconds. */
export interface RoomFacts {
  readonly roomId: bigint
  readonly total: number
  readonly peakMemberNumber: number | null
  readonly memberNumber: number | null
  readonly realStartTime: number | null
  readonly realEndTime: number | null
  readonly messageCount: number | null
  readonly micCount: number | null
  readonly extra: Readonly<Record<string, unknown>>
}

/**
 * Writes the room of a merged snapshot. The revision counts up if a figure or any member changed, and the figures that
 * are replaced go to the history. Facts that statistics do not carry (name, teacher, schedule) are those LCIC told of
 * the room otherwise. How many records were left out as erased is what the pages of the attempt say.
 */
export async function upsertRoom(
  db: Kysely<Database>,
  {
    room,
    attempt,
    contentHash,
    membersChanged,
    now,
  }: { room: RoomFacts; attempt: number; contentHash: string; membersChanged: boolean; now: Instant },
): Promise<void> {
  await sql`
    with figures as materialized (
      select ${room.roomId}::bigint as room_id, ${room.total}::int as total,
        ${room.peakMemberNumber}::int as peak_member_number, ${room.memberNumber}::int as member_number,
        to_timestamp(${room.realStartTime}::float8) as real_start_at,
        to_timestamp(${room.realEndTime}::float8) as real_end_at,
        ${room.messageCount}::int as message_count, ${room.micCount}::int as mic_count,
        ${JSON.stringify(room.extra)}::jsonb as extra
    ), landed as (
      select coalesce(sum(erased), 0)::int as erased from archive.raw_pages
      where room_id = ${room.roomId} and attempt = ${attempt}
    ), kept as (
      insert into archive.history (room_id, revision, user_id, replaced_at, old)
      select room_id, r.revision, '', ${now}, ${changedColumns(sql`to_jsonb(r)`, sql`to_jsonb(figures)`)}
      from figures join archive.rooms r using (room_id)
      where ${differs(sql.id('figures'))}
      on conflict (room_id, revision, user_id) do nothing
    )
    insert into archive.rooms as r (
      room_id, total, peak_member_number, member_number, real_start_at, real_end_at, message_count, mic_count, extra,
      revision, attempt, content_hash, archived_at, changed_at, sdk_app_id, name, teacher_id, room_type,
      scheduled_start_at, scheduled_end_at, erased)
    select figures.*, 1, ${attempt}, ${contentHash}, ${now}, ${now}, coalesce(k.sdk_app_id, j.sdk_app_id),
      k.name, k.teacher_id, k.room_type, k.scheduled_start_at, k.scheduled_end_at, landed.erased
    from figures
    cross join landed
    left join archive.jobs j using (room_id)
    left join archive.known_rooms k using (room_id)
    on conflict (room_id) do update set
      total = excluded.total, peak_member_number = excluded.peak_member_number,
      member_number = excluded.member_number, real_start_at = excluded.real_start_at,
      real_end_at = excluded.real_end_at, message_count = excluded.message_count, mic_count = excluded.mic_count,
      extra = excluded.extra, attempt = excluded.attempt, content_hash = excluded.content_hash,
      erased = excluded.erased, pages_pruned_at = null,
      (revision, changed_at) = (
        select case when changed then r.revision + 1 else r.revision end,
          case when changed then excluded.changed_at else r.changed_at end
        from (select ${membersChanged} or ${differs(sql.id('excluded'))}) as c (changed))
  `.execute(db)
}

/** Whether the archived room `r` has other figures than the row of this name. */
function differs(row: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`(
      r.total, r.peak_member_number, r.member_number, r.real_start_at, r.real_end_at, r.message_count, r.mic_count,
      r.extra)
    is distinct from (
      ${row}.total, ${row}.peak_member_number, ${row}.member_number, ${row}.real_start_at, ${row}.real_end_at,
      ${row}.message_count, ${row}.mic_count, ${row}.extra)`
}
