import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

/** Of the answer that `room_id` was archived from. */
export const requestId = sql<string>`md5(room_id || ' request')::uuid::text`

/** What the archive says of the content of a room of `lessons`, whose only page is landed. */
export const contentHash = sql<string>`
  select encode(sha256(convert_to(p.content_hash, 'UTF8')), 'hex') from archive.raw_pages p
  where p.room_id = lessons.room_id and p.attempt = 1 and p.page = 1`

/** Lands the answers that say of the lessons' rooms and members what the archive says, as LCIC would have written them. */
export async function insertPages(session: Kysely<Database>): Promise<void> {
  await sql`
    insert into archive.raw_pages (
      room_id, attempt, page, request_id, body, figures, record_count, content_hash, fetched_at)
    select room_id, 1, 1, ${requestId}, (beginning || ${requestId} || '"}}')::json, (told || '"extra":{}}')::jsonb, records,
      encode(sha256(convert_to(beginning || '"}}', 'UTF8')), 'hex'), start_at + length + interval '3 minutes'
    from (
      select *, '{"Response":' || told || '"MemberRecords":[' || member_records || '],"RequestId":"' as beginning
      from (
        select *, format(
            '{"RealStartTime":%s,"RealEndTime":%s,"PeakMemberNumber":%s,"MemberNumber":%s,"MessageCount":%s,"MicCount":%s,"Total":%s,',
            ${seconds(sql`real_start_at`)}, ${seconds(sql`real_end_at`)}, peak, came, messages, mics, records) as told
        from lessons
        join figures using (room_id)
        cross join lateral (${memberRecords}) as m
      ) as rooms
    ) as pages
    order by room_id`.execute(session)
}

/** Their records; the few that a later answer lacked are not among them. */
const memberRecords = sql`
  select string_agg(format(
    '{"UserId":"%s","UserName":"%s","PresentTime":%s,"Camera":%s,"Mic":%s,"Silence":%s,"AnswerQuestions":%s,"HandUps":%s,' ||
    '"FirstJoinTimestamp":%s,"LastQuitTimestamp":%s,"Rewords":%s,"IPAddress":"%s","Location":"%s","Device":%s,' ||
    '"PerMemberMicCount":%s,"PerMemberMessageCount":%s,"Role":%s,"GroupId":"%s","SubGroupId":%s,"Stage":%s,"CurrentState":%s}',
    user_id, user_name, present_seconds, camera, mic, silence, answer_questions, hand_ups,
    coalesce(date_part('epoch', first_join_at)::bigint, 0), coalesce(date_part('epoch', last_quit_at)::bigint, 0), rewards,
    ip_address, location, device, mic_count, message_count, role, group_id,
    coalesce('["' || array_to_string(sub_group_ids, '","') || '"]', 'null'), stage, current_state), ',') as member_records
  from archive.member_records r
  where r.room_id = lessons.room_id and removed_at is null`

function seconds(at: ReturnType<typeof sql>) {
  return sql`coalesce(date_part('epoch', ${at})::bigint::text, 'null')`
}

/** Each room is read once more a day after it was archived; nearly always that says the same. */
export async function insertSecondReads(session: Kysely<Database>): Promise<void> {
  await sql`
    insert into archive.runs (
      room_id, attempt, started_at, finished_at, outcome, request_ids, pages, records, content_hash)
    select room_id, 2, first.started_at + interval '1 day', first.finished_at + interval '1 day', 'unchanged',
      array[md5(room_id || ' second request')::uuid::text], 1, first.records, first.content_hash
    from lessons
    join archive.runs first using (room_id)
    where first.attempt = 1 and first.finished_at < now() - interval '1 day'
    order by room_id`.execute(session)
}
