import type { View } from './view'

const sessionColumns = {
  room_id: 'LCIC room id (RoomId).',
  sdk_app_id: 'The LCIC app (SdkAppId) the room belongs to; null while not known.',
  room_name: 'Name of the class, as the school wrote it; null while not known.',
  course: 'The course the class belongs to, by the course rules, or else the name of the class less its lesson number.',
}
const timeColumns = {
  started_at: 'When the class really started.',
  started_at_local: 'The same in the time zone of the settings.',
  ended_at: 'When the class really ended.',
  ended_at_local: 'The same in the time zone of the settings.',
}
const dateColumns = {
  start_date: 'Local date on which the class started, or was planned to.',
  week_start: 'Monday of that week.',
  month_start: 'First day of that month.',
}
const lengthColumns = {
  length_seconds:
    'Length of the class in seconds, from its real start to its real end; null where either is not known.',
}

/** Views about rooms and their members. */
export const roomViews: Readonly<Record<string, View>> = {
  dim_room: {
    about: 'One row an archived class: what it was, when it was held, and what LCIC counted in all.',
    columns: {
      ...sessionColumns,
      teacher_id: 'User id of the teacher; null while not known.',
      room_type: '0 small class, 1 large class, 2 one to one, 3 round table; null while not known.',
      room_type_label: 'The type in words.',
      scheduled_start_at: 'When the class was planned to start; null while not known.',
      scheduled_end_at: 'When the class was planned to end; null while not known.',
      ...timeColumns,
      ...dateColumns,
      ...lengthColumns,
      roster_known:
        'Whether LCIC lists who should have come: some member is absent, or has a class group. Otherwise only those who came are known.',
      records: 'Member records that LCIC announced, staff and absentees included.',
      peak_members: 'Most members online at once, as LCIC counted.',
      online_members: 'Members that were online, accumulated, as LCIC counted.',
      message_count: 'Messages sent in the class, as LCIC counted.',
      mic_count: 'Times members were on the microphone, as LCIC counted.',
      erased_members: 'Records left out because their members were erased on request.',
      members_pruned_at:
        'When the member records were deleted because they had been kept long enough; null: they are there.',
      revision: 'Counts the changes of this room or of any of its members; 1 when first archived.',
      archived_at: 'When the class was first archived.',
      changed_at: 'When the class or any of its members last changed in the archive.',
    },
    query: `
      select room_id, sdk_app_id, room_name, course, teacher_id, room_type, room_type_label, scheduled_start_at,
        scheduled_end_at, started_at, started_at_local, ended_at, ended_at_local, start_date, week_start, month_start,
        length_seconds, roster_known, records, peak_members, online_members, message_count, mic_count, erased_members,
        members_pruned_at, revision, archived_at, changed_at
      from archive.sessions`,
  },

  fact_room_session: {
    about:
      'One row an archived class: how many students came, how long they stayed, and how lively it was. Counts are of students unless they say otherwise, and null once the members have been deleted; what is late, early or attended is in analytics.settings.',
    columns: {
      ...sessionColumns,
      teacher_id: 'User id of the teacher; null while not known.',
      room_type: '0 small class, 1 large class, 2 one to one, 3 round table; null while not known.',
      room_type_label: 'The type in words.',
      ...timeColumns,
      ...dateColumns,
      ...lengthColumns,
      roster_known:
        'Whether LCIC lists who should have come. If not, expected counts only those who came, and no_show and attendance_rate are null.',
      expected: 'Students listed.',
      joined: 'Students who came, however briefly.',
      attended: 'Students who were present for long enough.',
      no_show: 'Students who never came; null where the roster is not known.',
      partial: 'Students who did not attend, and are not no-shows: they stayed too short.',
      late: 'Students who joined late, whatever their status.',
      left_early: 'Students who left early, whatever their status.',
      staff: 'Members who came and are no students: teachers, assistants, supervisors.',
      attendance_rate:
        'attended / expected, of those of whom it can be told; null where the roster is not known, nobody was expected, or the class had no length.',
      join_rate: 'joined / expected; null where the roster is not known, or nobody was expected.',
      late_rate: 'late / joined; null where nobody came.',
      average_present_ratio: 'Mean part of the class that expected students were present, no-shows as 0.',
      average_engagement: 'Mean engagement score of the students who came, 0 to 10.',
      peak_members: 'Most members online at once, staff included, as LCIC counted.',
      online_members: 'Members that were online, accumulated, staff included, as LCIC counted.',
      message_count: 'Messages sent in the class, staff included, as LCIC counted.',
      mic_count: 'Times members were on the microphone, staff included, as LCIC counted.',
      hand_ups: 'Hands raised by students.',
      rewards: 'Rewards that students received.',
      answers: 'Questions that students answered.',
      archived_at: 'When the class was first archived.',
      changed_at: 'When the class or any of its members last changed in the archive.',
    },
    query: `
      select s.room_id, s.sdk_app_id, s.room_name, s.course, s.teacher_id, s.room_type, s.room_type_label, s.started_at,
        s.started_at_local, s.ended_at, s.ended_at_local, s.start_date, s.week_start, s.month_start, s.length_seconds,
        s.roster_known, f.expected, f.joined, f.attended, case when s.roster_known then f.no_show end as no_show, f.partial,
        f.late, f.left_early, f.staff,
        case when s.roster_known then f.attended::float8 / nullif(f.judged, 0) end as attendance_rate,
        case when s.roster_known then f.joined::float8 / nullif(f.expected, 0) end as join_rate,
        f.late::float8 / nullif(f.joined, 0) as late_rate, f.average_present_ratio, f.average_engagement,
        s.peak_members, s.online_members, s.message_count, s.mic_count, f.hand_ups, f.rewards, f.answers, s.archived_at,
        s.changed_at
      from archive.sessions s
      left join lateral (
        select count(*) filter (where a.is_student) as expected,
          count(*) filter (where a.is_student and a.joined) as joined,
          count(*) filter (where a.attended) as attended,
          count(a.attended) as judged,
          count(*) filter (where a.no_show) as no_show,
          count(*) filter (where a.attendance_status = 'partial') as partial,
          count(*) filter (where a.is_late) as late,
          count(*) filter (where a.left_early) as left_early,
          count(*) filter (where not a.is_student and a.joined) as staff,
          avg(a.present_ratio) as average_present_ratio,
          avg(a.engagement_score) filter (where a.joined) as average_engagement,
          coalesce(sum(a.hand_ups) filter (where a.is_student), 0) as hand_ups,
          coalesce(sum(a.rewards) filter (where a.is_student), 0) as rewards,
          coalesce(sum(a.answers) filter (where a.is_student), 0) as answers
        from archive.attendance a
        where a.room_id = s.room_id
      ) as f on s.members_pruned_at is null`,
  },

  fact_attendance: {
    about:
      'One row a member and class, those who should have come and did not included. What is said of attendance and engagement is of students; for staff it is null. What is late, early or attended is in analytics.settings.',
    columns: {
      room_id: sessionColumns.room_id,
      user_id: 'User id, as the school gave it to LCIC, or its pseudonym.',
      sdk_app_id: sessionColumns.sdk_app_id,
      room_name: sessionColumns.room_name,
      course: sessionColumns.course,
      ...dateColumns,
      started_at: timeColumns.started_at,
      ended_at: timeColumns.ended_at,
      ...lengthColumns,
      role: '0 student, 1 teacher, 2 assistant, 3 supervisor. Where LCIC does not say, the teacher of the room is 1, others 0.',
      role_label: 'The role in words.',
      is_student: 'Whether the role is student.',
      group_id: 'Class group; null if none.',
      sub_group_ids: 'Sub-groups; null if none.',
      device:
        '0 unknown, 1 Windows, 2 macOS, 3 Android, 4 iOS, 5 web, 6 mobile web, 7 mini program; null where LCIC does not say.',
      device_label: 'The device in words.',
      current_state:
        'State when the class ended: 0 not arrived, 1 online, 2 offline, 3 kicked, 4 kicked for good, 5 dropped for now; null where LCIC does not say.',
      current_state_label: 'The state in words.',
      joined: 'Whether the member came, however briefly.',
      first_join_at: 'First join; null for who never came.',
      first_join_at_local: 'The same in the time zone of the settings.',
      last_quit_at: 'Last quit; null for who never came.',
      last_quit_at_local: 'The same in the time zone of the settings.',
      present_seconds: 'Seconds online, as LCIC counted; may exceed the length of the class.',
      present_ratio: 'present_seconds / length_seconds, 1 at most; null if the class had no length.',
      late_seconds:
        'Seconds from the start of the class to the first join; 0 for who was there before, null for who never came.',
      is_late: 'Whether late_seconds is more than the settings allow.',
      early_seconds:
        'Seconds from the last quit to the end of the class; 0 for who stayed longer, null for who never came.',
      left_early: 'Whether early_seconds is more than the settings allow.',
      away_seconds:
        'Seconds of the class, between first join and last quit, that the student was not online; null for who never came.',
      no_show: 'Whether the student never came; null where the roster is not known.',
      attended: 'Whether the student came and was present for long enough; null if the class had no length.',
      attendance_status:
        'The first that is true of no_show, partial (stayed too short), late, left_early, present; null for staff.',
      attendance_status_label: 'The status in words.',
      camera: 'Whether the camera was on; at which instant is not documented.',
      mic: 'Whether the microphone was on; at which instant is not documented.',
      muted: 'Whether the member was muted; at which instant is not documented.',
      on_stage: 'Whether the member was on stage.',
      answers: 'Questions answered.',
      hand_ups: 'Times a hand was raised.',
      rewards: 'Rewards received.',
      mic_count: 'Times on the microphone.',
      message_count: 'Messages sent.',
      engagement_score:
        'From 0 to 10: up to 2 each for times on the microphone, messages, hands raised, rewards and answers, in proportion to the student with most of it in this class. Compares students of one class, not classes.',
      archived_at: 'When the record was first archived.',
      changed_at: 'When the record last changed in the archive.',
    },
    query: `
      select room_id, user_id, sdk_app_id, room_name, course, start_date, week_start, month_start, started_at, ended_at,
        length_seconds, role, role_label, is_student, group_id, sub_group_ids, device, device_label, current_state,
        current_state_label, joined, first_join_at, first_join_at_local, last_quit_at, last_quit_at_local, present_seconds,
        present_ratio, late_seconds, is_late, early_seconds, left_early, away_seconds, no_show, attended,
        attendance_status, attendance_status_label, camera, mic, muted, on_stage, answers, hand_ups, rewards, mic_count,
        message_count, engagement_score, archived_at, changed_at
      from archive.attendance`,
  },

  fact_concurrency: {
    about:
      'One row a class and moment at which somebody came or went: how many were there from then on. An upper bound: LCIC tells the first join and the last quit only, so who left and came back counts as there all along.',
    columns: {
      room_id: sessionColumns.room_id,
      sdk_app_id: sessionColumns.sdk_app_id,
      course: sessionColumns.course,
      start_date: dateColumns.start_date,
      at: 'The moment.',
      at_local: 'The same in the time zone of the settings.',
      members: 'Members there from then on, staff included, at most.',
      students: 'Students among them, at most.',
    },
    query: `
      select s.room_id, s.sdk_app_id, s.course, s.start_date, w.at, w.at at time zone s.time_zone as at_local, w.members,
        w.students
      from archive.sessions s
      cross join lateral (
        select distinct on (e.at) e.at, sum(e.change) over up_to_then as members,
          sum(case when e.is_student then e.change else 0 end) over up_to_then as students
        from (
          select a.is_student, c.at, c.change
          from archive.attendance a
          cross join lateral (values (a.first_join_at, 1), (coalesce(a.last_quit_at, a.ended_at), -1)) as c (at, change)
          where a.room_id = s.room_id and coalesce(a.last_quit_at, a.ended_at) >= a.first_join_at
        ) as e
        window up_to_then as (order by e.at)
        order by e.at
      ) as w`,
  },
}
