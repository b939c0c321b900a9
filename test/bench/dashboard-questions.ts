/** What a question is about. */
export type Scope = (typeof scopes)[number]

export const scopes = ['week', 'course', 'student', 'room', 'school'] as const

/** What a dashboard asks of one view. */
export interface Question {
  readonly view: string
  readonly scope: Scope
  /** What is looked for is `$1`; there is none for the whole school. */
  readonly sql: string
  /** How long it may take. */
  readonly limitMs: number
  /**
   * What it cannot be answered without: the rooms in question, their members as well (twice, where they are looked at one
   * by one and beside what their room says), or all jobs and as many rooms.
   */
  readonly needs: 'nothing' | 'rooms' | 'members' | 'membersTwice' | 'jobs'
}

const attendance = `
  count(*) filter (where attended) as attended, count(*) filter (where is_late) as late,
  avg(present_ratio) as present_ratio, avg(engagement_score) as engagement`

/** What may be asked of all members of a year, and how long that may take. */
const wholeSchoolMs: Readonly<Record<string, number>> = {
  agg_student_course: 2000,
  retention_cohort: 2000,
  mix_device_region: 2000,
  data_quality: 4000,
}

/** For each view of analytics, what is asked of it: one week, one course, one student, one room, or the whole school. */
export const questions: readonly Question[] = [
  ...ask('dim_room', 'rooms', {
    week: 'select * from dim_room where week_start = $1 order by started_at',
    course: 'select * from dim_room where course = $1 order by started_at',
    room: 'select * from dim_room where room_id = $1',
  }),
  ...ask('fact_room_session', 'members', {
    week: 'select * from fact_room_session where week_start = $1 order by started_at',
    course: 'select * from fact_room_session where course = $1 order by started_at',
    room: 'select * from fact_room_session where room_id = $1',
  }),
  ...ask('fact_attendance', 'members', {
    week: `
      select start_date, ${attendance} from fact_attendance
      where start_date >= $1::date and start_date < $1::date + 7 group by start_date order by start_date`,
    course: `select user_id, ${attendance} from fact_attendance where course = $1 group by user_id order by attended`,
    student: 'select * from fact_attendance where user_id = $1 order by started_at',
    room: 'select * from fact_attendance where room_id = $1 order by first_join_at',
  }),
  ...ask('fact_concurrency', 'members', {
    week: `
      select start_date, max(members) as most from fact_concurrency
      where start_date >= $1::date and start_date < $1::date + 7 group by start_date order by start_date`,
    course: 'select room_id, max(students) as most from fact_concurrency where course = $1 group by room_id',
    room: 'select at, members, students from fact_concurrency where room_id = $1 order by at',
  }),
  ...ask('agg_course_week', 'members', {
    week: 'select * from agg_course_week where week_start = $1 order by attendance_rate',
    course: 'select * from agg_course_week where course = $1 order by week_start',
  }),
  ...ask('agg_student_course', 'members', {
    course: 'select * from agg_student_course where course = $1 order by absence_rate desc',
    student: 'select * from agg_student_course where user_id = $1',
    school: `
      select * from agg_student_course where risk_level in ('high', 'at_risk') order by absence_rate desc limit 100`,
  }),
  ...ask('dim_member', 'members', { student: 'select * from dim_member where user_id = $1' }),
  ...ask('retention_cohort', 'members', {
    school: 'select * from retention_cohort order by sdk_app_id, cohort_month, month_number',
  }),
  ...ask('mix_device_region', 'members', {
    week: 'select * from mix_device_region where week_start = $1 order by members desc',
    school: 'select region, device, sum(members) from mix_device_region group by region, device',
  }),
  ...ask('data_quality', 'membersTwice', {
    week: `
      select finding, count(*) from data_quality
      where start_date >= $1::date and start_date < $1::date + 7 group by finding`,
    room: 'select * from data_quality where room_id = $1',
    school: 'select finding, count(*) from data_quality group by finding',
  }),
  ...ask('data_freshness', 'jobs', { school: 'select * from data_freshness' }),
  ...ask('archive_completeness', 'jobs', {
    week: 'select * from archive_completeness where end_date >= $1::date and end_date < $1::date + 7 order by end_date',
    school: 'select * from archive_completeness where not is_complete order by end_date',
  }),
  ...ask('dim_date', 'nothing', { week: 'select * from dim_date where week_start = $1 order by date' }),
  ...ask('settings', 'nothing', { school: 'select * from settings' }),
  ...ask('course_rules', 'nothing', { school: 'select * from course_rules' }),
]

function ask(view: string, needs: Question['needs'], byScope: Partial<Record<Scope, string>>): Question[] {
  return Object.entries(byScope).map(([scope, text]) => ({
    view,
    scope: scope as Scope,
    sql: text.trim(),
    needs,
    limitMs: (scope === 'school' && wholeSchoolMs[view]) || 200,
  }))
}
