import { type RawBuilder, sql } from 'kysely'

/** The columns of `member_records` that hold what LCIC says of a member. */
export const valueColumns = sql`
  user_name, present_seconds, camera, mic, silence, answer_questions, hand_ups, first_join_at, last_quit_at, rewards,
  ip_address, location, device, mic_count, message_count, role, group_id, sub_group_ids, stage, current_state, extra`

/** The records of an attempt's pages as columns. A page that says the same as an earlier attempt's is read there. */
export function recordsOf(roomId: bigint, attempt: number): RawBuilder<unknown> {
  return sql`
    select
      p.page, r.position, r."UserId" as user_id, r."UserName" as user_name, r."PresentTime"::int as present_seconds,
      r."Camera"::int as camera, r."Mic"::int as mic, r."Silence"::int as silence,
      r."AnswerQuestions"::int as answer_questions, r."HandUps"::int as hand_ups,
      to_timestamp(nullif(r."FirstJoinTimestamp", 0)) as first_join_at,
      to_timestamp(nullif(r."LastQuitTimestamp", 0)) as last_quit_at, r."Rewords"::int as rewards,
      r."IPAddress" as ip_address, r."Location" as location, r."Device"::int as device,
      r."PerMemberMicCount"::int as mic_count, r."PerMemberMessageCount"::int as message_count, r."Role"::int as role,
      r."GroupId" as group_id, r."SubGroupId" as sub_group_ids, r."Stage"::int as stage,
      r."CurrentState"::int as current_state, coalesce(r.extra, '{}') as extra
    from archive.raw_pages p
    join archive.raw_pages b
      on b.room_id = p.room_id and b.attempt = coalesce(p.same_as_attempt, p.attempt) and b.page = p.page
    cross join lateral rows from (
      -- Numbers are read as float8, which takes every form JSON allows (1.0, 1e3); all are whole and fit an int by now.
      json_to_recordset(coalesce(b.records, b.body #> '{Response,MemberRecords}', '[]')) as (
        "UserId" text, "UserName" text, "PresentTime" float8, "Camera" float8, "Mic" float8, "Silence" float8,
        "AnswerQuestions" float8, "HandUps" float8, "FirstJoinTimestamp" float8, "LastQuitTimestamp" float8,
        "Rewords" float8, "IPAddress" text, "Location" text, "Device" float8, "PerMemberMicCount" float8,
        "PerMemberMessageCount" float8, "Role" float8, "GroupId" text, "SubGroupId" text[], "Stage" float8,
        "CurrentState" float8, extra jsonb)
    ) with ordinality as r (
      "UserId", "UserName", "PresentTime", "Camera", "Mic", "Silence", "AnswerQuestions", "HandUps",
      "FirstJoinTimestamp", "LastQuitTimestamp", "Rewords", "IPAddress", "Location", "Device", "PerMemberMicCount",
      "PerMemberMessageCount", "Role", "GroupId", "SubGroupId", "Stage", "CurrentState", extra, position)
    where p.room_id = ${roomId} and p.attempt = ${attempt}`
}
