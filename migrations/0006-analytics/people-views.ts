import { isVisible } from './foundations'
import type { View } from './view'

const app = 'The LCIC app (SdkAppId); null while not known.'
const course = 'The course the classes belong to, by the course rules, or else their name less its lesson number.'

/** Views about students, courses and devices over time. */
export const peopleViews: Readonly<Record<string, View>> = {
  dim_member: {
    about: 'One row a member of an app: since when, until when, and in what role they were last listed.',
    columns: {
      sdk_app_id: app,
      user_id: 'User id, as the school gave it to LCIC, or its pseudonym.',
      role: 'Role in the newest class: 0 student, 1 teacher, 2 assistant, 3 supervisor.',
      role_label: 'The role in words.',
      rooms: 'Classes that list the member.',
      courses: 'Courses that list the member.',
      first_room_at: 'When the first of these classes started.',
      last_room_at: 'When the newest of these classes started.',
      last_device:
        'Device in the newest class: 0 unknown, 1 Windows, 2 macOS, 3 Android, 4 iOS, 5 web, 6 mobile web, 7 mini program.',
      last_device_label: 'The device in words.',
    },
    query: `
      select sdk_app_id, user_id, newest[1]::int as role, newest[2] as role_label, rooms, courses, first_room_at, last_room_at,
        newest[3]::int as last_device, newest[4] as last_device_label
      from (
        select sdk_app_id, user_id, count(*) as rooms, count(distinct course) as courses, min(started_at) as first_room_at,
          max(started_at) as last_room_at,
          (array_agg(array[role::text, role_label, device::text, device_label]
            order by started_at desc nulls last, room_id desc))[1:1] as newest_of_all
        from archive.attendance
        group by sdk_app_id, user_id
      ) as m
      cross join lateral (select array(select unnest(m.newest_of_all)) as newest) as n`,
  },

  dim_date: {
    about:
      'One row a day, from the first archived class to a year from now: for joins with local dates, gaps included.',
    columns: {
      date: 'The day.',
      year: 'Its year.',
      quarter: 'Its quarter, 1 to 4.',
      month: 'Its month, 1 to 12.',
      month_start: 'First day of its month.',
      iso_year: 'Year of its ISO week.',
      iso_week: 'Its ISO week, 1 to 53.',
      week_start: 'Monday of its week.',
      iso_weekday: '1 Monday to 7 Sunday.',
      weekday_name: 'Name of the weekday, English.',
      is_weekend: 'Whether it is a Saturday or Sunday.',
    },
    query: `
      select d::date as date, extract(year from d)::int as year, extract(quarter from d)::int as quarter,
        extract(month from d)::int as month, date_trunc('month', d)::date as month_start,
        extract(isoyear from d)::int as iso_year, extract(week from d)::int as iso_week,
        date_trunc('week', d)::date as week_start, extract(isodow from d)::int as iso_weekday,
        trim(to_char(d, 'Day')) as weekday_name, extract(isodow from d) > 5 as is_weekend
      from generate_series(
        (select coalesce(min(start_date), current_date)::timestamp from archive.rooms r
          where start_date > '2015-01-01' and ${isVisible('r')}),
        current_date + interval '1 year', interval '1 day') as d`,
  },

  agg_course_week: {
    about:
      'One row a course and week: its classes and how they were attended. Counts are of students, over all classes.',
    columns: {
      sdk_app_id: app,
      course,
      week_start: 'Monday of the week, local time.',
      sessions: 'Classes held.',
      students: 'Different students listed.',
      expected: 'Students listed, class by class.',
      joined: 'Students who came, however briefly.',
      attended: 'Students who were present for long enough.',
      no_show: 'Students who never came, in classes whose roster is known.',
      late: 'Students who joined late.',
      left_early: 'Students who left early.',
      attendance_rate:
        'Of the students expected in classes whose roster is known, and which had some length, the part that attended.',
      average_present_ratio: 'Mean part of the class that expected students were present, no-shows as 0.',
      average_engagement: 'Mean engagement score of the students who came, 0 to 10.',
      messages: 'Messages that students sent.',
      hours: 'Length of the classes, hours.',
    },
    query: `
      select a.sdk_app_id, a.course, a.week_start, count(a.length_seconds) as sessions, count(distinct a.user_id) as students,
        count(a.user_id) as expected, count(*) filter (where a.joined) as joined, count(*) filter (where a.attended) as attended,
        count(*) filter (where a.no_show) as no_show, count(*) filter (where a.is_late) as late,
        count(*) filter (where a.left_early) as left_early,
        count(*) filter (where a.attended and a.no_show is not null)::float8
          / nullif(count(a.attended) filter (where a.no_show is not null), 0) as attendance_rate,
        avg(a.present_ratio) as average_present_ratio,
        avg(a.engagement_score) filter (where a.joined) as average_engagement,
        coalesce(sum(a.message_count), 0) as messages, sum(a.length_seconds)::float8 / 3600 as hours
      from (
        select sdk_app_id, course, week_start, user_id, joined, attended, no_show, is_late, left_early, present_ratio,
          engagement_score, message_count, null::bigint as length_seconds
        from archive.attendance
        where is_student
        union all
        select sdk_app_id, course, week_start, null, null, null, null, null, null, null, null, null,
          coalesce(greatest(length_seconds, 0), 0)
        from archive.sessions
      ) as a
      group by a.sdk_app_id, a.course, a.week_start`,
  },

  agg_student_course: {
    about:
      'One row a student and course: how regularly the student attends, and whether that is a reason to worry. Only classes of which attendance can be told count; a class is missed if it was not attended. Thresholds are in analytics.settings.',
    columns: {
      sdk_app_id: app,
      course,
      user_id: 'User id of the student.',
      sessions: 'Classes that list the student.',
      attended: 'Classes attended.',
      missed: 'Classes not attended: the student never came, or stayed too short.',
      no_show: 'Classes to which the student never came.',
      late: 'Classes to which the student came late.',
      left_early: 'Classes that the student left early.',
      absence_rate: 'missed / sessions.',
      average_present_ratio: 'Mean part of the classes that the student was present.',
      trend:
        'Mean present ratio of the newest classes (four, by the settings) minus that of as many before them; null with fewer classes.',
      last_missed: 'How many of the newest classes were missed in a row.',
      risk_level: 'none, at_risk or high; null for a student with too few classes to judge.',
      risk_level_label: 'The level in words.',
      risk_reasons: 'Why the student is at risk: absence, missed_last, trend; empty if not.',
      first_session_at: 'When the first of these classes started.',
      last_session_at: 'When the newest of these classes started.',
    },
    query: `
      select j.sdk_app_id, j.course, j.user_id, j.sessions, j.attended, j.missed, j.no_show, j.late, j.left_early,
        j.absence_rate::float8 as absence_rate, j.average_present_ratio, j.trend::float8 as trend, j.last_missed,
        l.risk_level, case l.risk_level when 'none' then 'no risk' when 'at_risk' then 'at risk'
          when 'high' then 'high risk' end as risk_level_label,
        j.risk_reasons, j.first_session_at, j.last_session_at
      from (
        select c.*, t.trend, t.last_missed,
          case when c.sessions < s.risk_sessions then '{}' else array_remove(array[
            case when c.absence_rate >= s.risk_absence then 'absence' end,
            case when t.last_missed >= s.risk_missed then 'missed_last' end,
            case when t.trend <= s.risk_trend then 'trend' end], null) end as risk_reasons,
          s.risk_sessions, s.high_risk_absence
        from (
          select n.sdk_app_id, n.course, n.user_id, count(*) as sessions,
            count(*) filter (where n.attended) as attended, count(*) filter (where not n.attended) as missed,
            count(*) filter (where n.no_show) as no_show, count(*) filter (where n.is_late) as late,
            count(*) filter (where n.left_early) as left_early,
            count(*) filter (where not n.attended)::numeric / count(*) as absence_rate,
            avg(n.present_ratio) as average_present_ratio,
            array_agg(n.attended order by n.started_at desc nulls last, n.room_id desc) as attended_each,
            array_agg(n.present_ratio order by n.started_at desc nulls last, n.room_id desc) as present_ratios,
            min(n.started_at) as first_session_at, max(n.started_at) as last_session_at
          from (
            -- In the order that is needed, of what is quick to compare first, and several processes can sort at once.
            select sdk_app_id, course, user_id, room_id, attended, no_show, is_late, left_early, present_ratio, started_at,
              hashtextextended(user_id, hashtext(course)) as hash
            from archive.attendance
            where attended is not null
            order by hash, user_id, sdk_app_id, course, started_at desc nulls last, room_id desc
          ) as n
          group by n.hash, n.user_id, n.sdk_app_id, n.course
        ) as c
        cross join archive.settings s
        cross join lateral (select
          case when c.sessions >= 2 * s.trend_sessions then round((
            (select avg(r) from unnest(c.present_ratios[1:s.trend_sessions]) as r)
            - (select avg(r) from unnest(c.present_ratios[s.trend_sessions + 1:2 * s.trend_sessions]) as r)
          )::numeric, 6) end as trend,
          coalesce(array_position(c.attended_each, true) - 1, c.sessions) as last_missed
          offset 0 -- Once a student, not wherever it is used.
        ) as t
      ) as j
      cross join lateral (select
        case when j.sessions < j.risk_sessions then null when j.risk_reasons = '{}' then 'none'
          when j.absence_rate >= j.high_risk_absence then 'high' else 'at_risk' end as risk_level) as l`,
  },

  retention_cohort: {
    about:
      'One row a month in which students of an app first came to a class, and a month since: how many of them came in that one.',
    columns: {
      sdk_app_id: app,
      cohort_month: 'First day of the month in which these students first came.',
      month_number: 'Months since then; 0 is that month itself.',
      students: 'Students who first came in that month.',
      retained: 'Those of them who came to some class in the month of that number.',
      retention_rate: 'retained / students.',
    },
    query: `
      with active as (
        select coalesce(sdk_app_id, 0) as app, user_id, month_start,
          min(month_start) over (partition by coalesce(sdk_app_id, 0), user_id) as cohort_month
        from (
          select distinct sdk_app_id, user_id, month_start from archive.attendance
          where is_student and joined and month_start is not null
        ) as came
      ), retained as (
        select app, cohort_month, month_start, count(*) as students from active group by app, cohort_month, month_start
      ), newest as (
        select app, max(month_start) as month_start from retained group by app
      )
      select nullif(c.app, 0) as sdk_app_id, c.cohort_month, n.month_number, c.students,
        coalesce(r.students, 0) as retained, coalesce(r.students, 0)::float8 / c.students as retention_rate
      from retained c
      join newest on newest.app = c.app
      cross join lateral generate_series(0, (
        extract(year from age(newest.month_start::timestamp, c.cohort_month::timestamp)) * 12
        + extract(month from age(newest.month_start::timestamp, c.cohort_month::timestamp)))::int) as n (month_number)
      left join retained r on r.app = c.app and r.cohort_month = c.cohort_month
        and r.month_start = (c.cohort_month + n.month_number * interval '1 month')::date
      where c.month_start = c.cohort_month`,
  },

  mix_device_region: {
    about:
      'One row a week, device and region: how many attendances (a member in two classes counts twice). Regions are provinces of China; what is known of other places is not told apart, and regions with few attendances in a week are counted together.',
    columns: {
      sdk_app_id: app,
      week_start: 'Monday of the week, local time.',
      device:
        '0 unknown, 1 Windows, 2 macOS, 3 Android, 4 iOS, 5 web, 6 mobile web, 7 mini program; null where LCIC does not say.',
      device_label: 'The device in words.',
      region:
        'ISO 3166-2 code of a province of China; elsewhere; unknown; or other: regions with fewer attendances than smallest_group in the settings.',
      region_label: 'The region in words.',
      members: 'Attendances of members who came, staff included.',
      share: 'members, as part of the attendances of that app and week.',
    },
    query: `
      select sdk_app_id, week_start, device, device_label,
        case when is_small then 'other' else region end as region,
        case when is_small then 'other regions' else region_label end as region_label, sum(members)::bigint as members,
        sum(members)::float8 / max(of_week) as share
      from (
        select g.*, sum(members) over (partition by sdk_app_id, week_start) as of_week,
          sum(members) over (partition by sdk_app_id, week_start, region)
            < (select smallest_group from archive.settings) as is_small
        from (
          select a.sdk_app_id, a.week_start, a.device, a.device_label,
            case when a.is_unknown then 'unknown' else coalesce(p.region, 'elsewhere') end as region,
            case when a.is_unknown then 'unknown' else coalesce(p.region_label, 'elsewhere') end as region_label,
            sum(a.members)::bigint as members
          from (
            select sdk_app_id, week_start, device, device_label, location, count(*) as members,
              -- Nor does a pseudonym say where anybody is.
              coalesce(location, '') ~ '^(|[Uu]nknown|location-[0-9a-f]{32})$' as is_unknown
            from archive.attendance
            where joined
            group by 1, 2, 3, 4, 5
          ) as a
          left join archive.regions p on p.prefix = left(
            case when left(a.location, 2) = '中国' then substr(a.location, 3) else a.location end, 2)
          group by 1, 2, 3, 4, 5, 6
        ) as g
      ) as w
      group by 1, 2, 3, 4, 5, 6`,
  },
}
