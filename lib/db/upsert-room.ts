import { type Kysely, sql } from 'kysely'
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
 * Writes the room of a merged snapshot. The revision counts up if a figure or any member changed; facts that
 * statistics do not carry (name, teacher, schedule) stay as they are.
 */
export async function upsertRoom(
  db: Kysely<Database>,
  {
    room,
    attempt,
    contentHash,
    membersChanged,
    now,
  }: { room: RoomFacts; attempt: number; contentHash: string; membersChanged: boolean; now: Date },
): Promise<void> {
  await sql`
    insert into archive.rooms as r (
      room_id, total, peak_member_number, member_number, real_start_at, real_end_at, message_count, mic_count, extra,
      revision, attempt, content_hash, archived_at, changed_at, sdk_app_id)
    values (
      ${room.roomId}, ${room.total}, ${room.peakMemberNumber}, ${room.memberNumber},
      to_timestamp(${room.realStartTime}::float8), to_timestamp(${room.realEndTime}::float8),
      ${room.messageCount}, ${room.micCount}, ${JSON.stringify(room.extra)}::jsonb,
      1, ${attempt}, ${contentHash}, ${now}, ${now},
      (select sdk_app_id from archive.jobs where room_id = ${room.roomId}))
    on conflict (room_id) do update set
      total = excluded.total, peak_member_number = excluded.peak_member_number,
      member_number = excluded.member_number, real_start_at = excluded.real_start_at,
      real_end_at = excluded.real_end_at, message_count = excluded.message_count, mic_count = excluded.mic_count,
      extra = excluded.extra, attempt = excluded.attempt, content_hash = excluded.content_hash,
      (revision, changed_at) = (
        select case when changed then r.revision + 1 else r.revision end,
          case when changed then excluded.changed_at else r.changed_at end
        from (select ${membersChanged} or (
            r.total, r.peak_member_number, r.member_number, r.real_start_at, r.real_end_at, r.message_count,
            r.mic_count, r.extra)
          is distinct from (
            excluded.total, excluded.peak_member_number, excluded.member_number, excluded.real_start_at,
            excluded.real_end_at, excluded.message_count, excluded.mic_count, excluded.extra)) as c (changed))
  `.execute(db)
}
