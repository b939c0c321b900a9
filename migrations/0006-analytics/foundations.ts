import type { View } from './view'

/** Whether the current role may see the app of row `alias`, by archive.tenants. */
export const isVisible = (alias: string) => `(
          (select apps from archive.visible_apps) is null
          or ${alias}.sdk_app_id = any ((select apps from archive.visible_apps)::bigint[]))`

/** Views in schema archive that those for analysts are made of: each definition stands here once. */
export const foundations: Readonly<Record<string, View>> = {
  visible_apps: {
    about: 'One row: the apps that the current role may see in analytics, by archive.tenants; null: all.',
    columns: { apps: 'Their ids (SdkAppId).' },
    // Whoever changes its role (set role) keeps the limits of the role that it logged in as.
    query: `
      select array_agg(t.sdk_app_id) as apps
      from archive.tenants t
      join pg_roles tenant on tenant.rolname = t.role_name
      join pg_roles own on own.rolname in (current_user, session_user) and not own.rolsuper
      where case when current_setting('server_version_num')::int < 160000 then pg_has_role(own.oid, tenant.oid, 'member')
        -- From PostgreSQL 16 on, who creates a role is a member of it that may neither use nor become it.
        else pg_has_role(own.oid, tenant.oid, 'usage') or pg_has_role(own.oid, tenant.oid, 'set') end`,
  },
  sessions: {
    about:
      'One row an archived room that the current role may see, with labels and local times: the basis of schema analytics.',
    columns: {
      room_id: 'LCIC room id.',
      sdk_app_id: 'The LCIC app.',
      room_name: 'Name of the class.',
      course: 'The course.',
      teacher_id: 'User id of the teacher.',
      room_type: 'Code of the type.',
      room_type_label: 'The type in words.',
      started_at: 'Real start.',
      started_at_local: 'Real start, local time.',
      ended_at: 'Real end.',
      ended_at_local: 'Real end, local time.',
      start_date: 'Local date of the start.',
      week_start: 'Monday of its week.',
      month_start: 'First day of its month.',
      length_seconds: 'From real start to real end.',
      roster_known: 'Whether absentees are listed.',
      most_mics: 'Most times that one student was on the microphone.',
      most_messages: 'Most messages of one student.',
      most_hand_ups: 'Most hands raised by one student.',
      most_rewards: 'Most rewards of one student.',
      most_answers: 'Most questions answered by one student.',
      scheduled_start_at: 'Planned start.',
      scheduled_end_at: 'Planned end.',
      records: 'Member records that LCIC announced.',
      peak_members: 'Most members online at once, as LCIC counted.',
      online_members: 'Members that were online, as LCIC counted.',
      message_count: 'Messages, as LCIC counted.',
      mic_count: 'Times on the microphone, as LCIC counted.',
      erased_members: 'Records left out because their members were erased.',
      members_pruned_at: 'When the member records were deleted.',
      revision: 'Counts the changes.',
      attempt: 'The attempt it was built from.',
      archived_at: 'When it was first archived.',
      changed_at: 'When it last changed.',
      time_zone: 'The time zone of local times.',
      late_after_seconds: 'See settings.',
      early_before_seconds: 'See settings.',
      attended_ratio: 'See settings.',
    },
    query: `
      select r.room_id, r.sdk_app_id, r.name as room_name, r.course, nullif(r.teacher_id, '') as teacher_id, r.room_type,
        case r.room_type when 0 then 'small class' when 1 then 'large class' when 2 then 'one to one'
          when 3 then 'round table' else 'unknown' end as room_type_label,
        r.real_start_at as started_at, r.real_start_at at time zone s.time_zone as started_at_local,
        r.real_end_at as ended_at, r.real_end_at at time zone s.time_zone as ended_at_local,
        r.start_date, date_trunc('week', r.start_date::timestamp)::date as week_start,
        date_trunc('month', r.start_date::timestamp)::date as month_start,
        r.length_seconds, r.roster_known, r.most_mics, r.most_messages, r.most_hand_ups, r.most_rewards, r.most_answers,
        r.scheduled_start_at, r.scheduled_end_at, r.total as records, r.peak_member_number as peak_members,
        r.member_number as online_members, r.message_count, r.mic_count, r.erased as erased_members, r.members_pruned_at,
        r.revision, r.attempt, r.archived_at, r.changed_at,
        s.time_zone, s.late_after_seconds, s.early_before_seconds, s.attended_ratio
      from archive.rooms r
      cross join archive.settings s
      where ${isVisible('r')}`,
  },
  attendance: {
    about:
      'One row a member and room that the current role may see, with all that is said of attendance: the basis of schema analytics.',
    columns: {
      room_id: 'LCIC room id.',
      user_id: 'User id.',
      sdk_app_id: 'The LCIC app.',
      room_name: 'Name of the class.',
      course: 'The course.',
      start_date: 'Local date of the start.',
      week_start: 'Monday of its week.',
      month_start: 'First day of its month.',
      started_at: 'Real start of the class.',
      ended_at: 'Real end of the class.',
      length_seconds: 'From real start to real end.',
      role: 'Code of the role.',
      role_label: 'The role in words.',
      is_student: 'Whether the member is a student.',
      group_id: 'Class group.',
      sub_group_ids: 'Sub-groups.',
      device: 'Code of the device.',
      device_label: 'The device in words.',
      current_state: 'Code of the state at the end.',
      current_state_label: 'The state in words.',
      joined: 'Whether the member ever came.',
      first_join_at: 'First join.',
      first_join_at_local: 'First join, local time.',
      last_quit_at: 'Last quit.',
      last_quit_at_local: 'Last quit, local time.',
      present_seconds: 'Seconds online.',
      present_ratio: 'Part of the class that a student was present.',
      late_seconds: 'Seconds from the start of the class to the first join of a student.',
      is_late: 'Whether a student was late.',
      early_seconds: 'Seconds from the last quit of a student to the end of the class.',
      left_early: 'Whether a student left early.',
      away_seconds: 'Seconds of the class that a student was away between first join and last quit.',
      no_show: 'Whether a student never came.',
      attended: 'Whether a student attended.',
      attendance_status: 'Code of what became of a student.',
      attendance_status_label: 'The same in words.',
      camera: 'Whether the camera was on.',
      mic: 'Whether the microphone was on.',
      muted: 'Whether the member was muted.',
      on_stage: 'Whether the member was on stage.',
      answers: 'Questions answered.',
      hand_ups: 'Hands raised.',
      rewards: 'Rewards received.',
      mic_count: 'Times on the microphone.',
      message_count: 'Messages sent.',
      engagement_score: '0 to 10.',
      user_name: 'Display name; personal data.',
      ip_address: 'Address; personal data.',
      location: 'Place of the address; personal data.',
      archived_at: 'When it was first archived.',
      changed_at: 'When it last changed.',
    },
    query: `
      select s.room_id, m.user_id, s.sdk_app_id, s.room_name, s.course, s.start_date, s.week_start, s.month_start,
        s.started_at, s.ended_at, s.length_seconds,
        coalesce(m.role, case when m.user_id = s.teacher_id then 1 else 0 end) as role,
        case coalesce(m.role, case when m.user_id = s.teacher_id then 1 else 0 end) when 0 then 'student'
          when 1 then 'teacher' when 2 then 'assistant' when 3 then 'supervisor' else 'unknown' end as role_label,
        w.is_student, nullif(m.group_id, '') as group_id, m.sub_group_ids,
        m.device, case m.device when 1 then 'Windows' when 2 then 'macOS' when 3 then 'Android' when 4 then 'iOS'
          when 5 then 'web' when 6 then 'mobile web' when 7 then 'mini program' else 'unknown' end as device_label,
        m.current_state, case m.current_state when 0 then 'not arrived' when 1 then 'online' when 2 then 'offline'
          when 3 then 'kicked' when 4 then 'kicked for good' when 5 then 'dropped for now'
          else 'unknown' end as current_state_label,
        w.joined, m.first_join_at, m.first_join_at at time zone s.time_zone as first_join_at_local,
        m.last_quit_at, m.last_quit_at at time zone s.time_zone as last_quit_at_local, m.present_seconds,
        p.present_ratio,
        case when t.late_seconds is not null then greatest(t.late_seconds, 0) end as late_seconds,
        t.late_seconds > s.late_after_seconds as is_late,
        case when t.early_seconds is not null then greatest(t.early_seconds, 0) end as early_seconds,
        t.early_seconds > s.early_before_seconds as left_early,
        case when t.late_seconds + t.early_seconds + m.present_seconds is not null
          then greatest(0, date_part('epoch', least(m.last_quit_at, s.ended_at)
            - greatest(m.first_join_at, s.started_at))::bigint - m.present_seconds) end as away_seconds,
        a.no_show, a.attended, c.attendance_status,
        case c.attendance_status when 'no_show' then 'never came' when 'partial' then 'too short'
          when 'late' then 'late' when 'left_early' then 'left early' when 'present' then 'present' end as attendance_status_label,
        m.camera <> 0 as camera, m.mic <> 0 as mic, m.silence <> 0 as muted, m.stage <> 0 as on_stage,
        m.answer_questions as answers, m.hand_ups, m.rewards, m.mic_count, m.message_count,
        case when w.is_student then
          coalesce(2.0::float8 * m.mic_count / nullif(s.most_mics, 0), 0)
          + coalesce(2.0::float8 * m.message_count / nullif(s.most_messages, 0), 0)
          + coalesce(2.0::float8 * m.hand_ups / nullif(s.most_hand_ups, 0), 0)
          + coalesce(2.0::float8 * m.rewards / nullif(s.most_rewards, 0), 0)
          + coalesce(2.0::float8 * m.answer_questions / nullif(s.most_answers, 0), 0) end as engagement_score,
        m.user_name, m.ip_address, m.location, m.archived_at, m.changed_at
      from archive.sessions s
      -- True of all user ids. The planner does not know that a room's members lie together, and takes their index for
      -- dearer than it is; of a limit that it cannot see it supposes that a third of them pass, which is about right.
      join archive.member_records m
        on m.room_id = s.room_id and m.user_id >= (select ''::text) and m.removed_at is null
      cross join lateral (select
        archive.is_student(m.role, m.user_id, s.teacher_id) as is_student,
        m.first_join_at is not null or coalesce(m.present_seconds, 0) > 0 as joined) as w
      cross join lateral (select
        case when w.is_student and s.length_seconds > 0 and (m.present_seconds is not null or not w.joined)
          then least(coalesce(m.present_seconds, 0), s.length_seconds)::float8 / s.length_seconds end as present_ratio) as p
      cross join lateral (select
        case when w.is_student then date_part('epoch', m.first_join_at - s.started_at)::bigint end as late_seconds,
        case when w.is_student then date_part('epoch', s.ended_at - m.last_quit_at)::bigint end as early_seconds) as t
      cross join lateral (select
        case when w.is_student and s.roster_known then not w.joined and coalesce(m.current_state, 0) = 0 end as no_show,
        case when w.is_student and s.length_seconds > 0
          then w.joined and p.present_ratio >= s.attended_ratio end as attended) as a
      cross join lateral (select
        case when not w.is_student then null when a.no_show then 'no_show' when not a.attended then 'partial'
          when t.late_seconds > s.late_after_seconds then 'late' when t.early_seconds > s.early_before_seconds then 'left_early'
          when w.joined then 'present' end as attendance_status) as c`,
  },
}
