/** A question that analysts ask, and how to ask it. */
export interface Question {
  readonly question: string
  readonly sql: string
}

/**
 * Examples, in the order in which one comes across them. Dates, courses and ids are those of the classes in the tests, in
 * which each is asked and answered. What reads `analytics_pii` needs that right, too.
 */
export const questions: readonly Question[] = [
  {
    question: 'How was one week, class by class?',
    sql: `
select started_at_local, course, room_name, expected, attended, no_show, late, attendance_rate
from analytics.fact_room_session
where week_start = date '2026-03-02'
order by started_at`,
  },
  {
    question: 'How has a course developed, week by week?',
    sql: `
select week_start, sessions, students, attendance_rate, average_present_ratio, average_engagement
from analytics.agg_course_week
where course = 'Physics'
order by week_start`,
  },
  {
    question: 'Which courses have the best attendance in a month?',
    sql: `
select course, count(*) as sessions, sum(expected) as expected, sum(attended) as attended,
  round(100.0 * sum(attended) / nullif(sum(expected), 0), 1) as percent
from analytics.fact_room_session
where month_start = date '2026-01-01' and roster_known and length_seconds > 0
group by course
order by percent desc nulls last`,
  },
  {
    question: "What is one student's record?",
    sql: `
select start_date, course, room_name, attendance_status_label, round(present_seconds / 60.0) as minutes,
  late_seconds, hand_ups, message_count
from analytics.fact_attendance
where user_id = 's01'
order by started_at desc`,
  },
  {
    question: 'Who is at risk, and why?',
    sql: `
select course, user_id, risk_level_label, risk_reasons, sessions, missed, absence_rate, last_missed, trend
from analytics.agg_student_course
where risk_level in ('at_risk', 'high')
order by risk_level = 'high' desc, absence_rate desc, user_id`,
  },
  {
    question: 'The same with names, for those who may see them',
    sql: `
select m.user_name, s.course, s.risk_level_label, s.risk_reasons, s.last_session_at
from analytics.agg_student_course s
join analytics_pii.member m using (sdk_app_id, user_id)
where s.risk_level in ('at_risk', 'high')
order by s.course, m.user_name`,
  },
  {
    question: 'How many students are still there, months after their first class?',
    sql: `
select cohort_month, month_number, students, retained, round(100 * retention_rate) as percent
from analytics.retention_cohort
order by cohort_month, month_number`,
  },
  {
    question: 'Who did not come to a class?',
    sql: `
select user_id, group_id
from analytics.fact_attendance
where room_id = 101 and no_show
order by user_id`,
  },
  {
    question: 'Who comes late most often?',
    sql: `
select user_id, course, count(*) filter (where is_late) as late, count(*) as sessions,
  round(avg(late_seconds) filter (where is_late) / 60.0) as minutes_late
from analytics.fact_attendance
where is_student and joined and start_date between date '2026-03-01' and date '2026-03-31'
group by user_id, course
having count(*) filter (where is_late) > 0
order by late desc, user_id`,
  },
  {
    question: 'When were most members in a class at once?',
    sql: `
select at_local, members, students
from analytics.fact_concurrency
where room_id = 101
order by members desc, at
limit 1`,
  },
  {
    question: 'Who took part most in a class? (Scores compare within one class only.)',
    sql: `
select user_id, engagement_score, mic_count, message_count, hand_ups, answers, rewards
from analytics.fact_attendance
where room_id = 101 and engagement_score > 0
order by engagement_score desc, user_id
limit 10`,
  },
  {
    question: 'From which devices and provinces do members come?',
    sql: `
select week_start, device_label, region_label, members, round((100 * share)::numeric, 1) as percent
from analytics.mix_device_region
where week_start >= date '2026-01-01'
order by week_start, members desc`,
  },
  {
    question: 'On which days of the week are classes held, and how well are they attended?',
    sql: `
select d.iso_weekday, d.weekday_name, count(*) as classes, sum(s.length_seconds) / 3600 as hours,
  sum(s.attended) as attended
from analytics.fact_room_session s
join analytics.dim_date d on d.date = s.start_date
group by d.iso_weekday, d.weekday_name
order by d.iso_weekday`,
  },
  {
    question: "Who on the school's own roll has not been in any class of a course?",
    sql: `
with roll (user_id, class_name) as (
  values ('steady', '8a'), ('falling', '8a'), ('newcomer', '8b')
)
select roll.class_name, roll.user_id
from roll
left join analytics.agg_student_course s on s.user_id = roll.user_id and s.course = 'Physics' and s.attended > 0
where s.user_id is null
order by roll.class_name, roll.user_id`,
  },
  {
    question: 'Is the archive complete?',
    sql: `
select end_date, ended, archived, waiting, missing, failed, without_job, passed_deadline
from analytics.archive_completeness
where not is_complete
order by end_date desc`,
  },
  {
    question: 'How fresh is it?',
    sql: `
select sdk_app_id, last_room_ended_at, last_archived_at, swept_until, waiting_rooms, lag_seconds_p95
from analytics.data_freshness`,
  },
  {
    question: 'Which figures contradict each other?',
    sql: `
select room_id, user_id, finding_label, lcic_value, archive_value, explanation
from analytics.data_quality
where start_date >= date '2026-01-01'
order by room_id, finding, user_id`,
  },
]
