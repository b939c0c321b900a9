import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables'
import { UsageError } from '../errors'
import {
  type CourseFigures,
  MOST_AT_RISK,
  MOST_COURSES,
  type OverviewData,
  type OverviewTotals,
  type Period,
  type StudentAtRisk,
} from './overview-data'
import { readCompleteness } from './read-completeness'
import { wallMs } from './wall-time'

/** A moment, or a local time of the school, which needs no time zone: `2026-03-01`. */
export type SchoolTime = { readonly at: Date } | { readonly local: string }

export interface OverviewSubject {
  readonly from: SchoolTime
  /** Excluded. */
  readonly to: SchoolTime
  readonly course?: string | undefined
}

/** Two years. */
const LONGEST_BY_WEEKS_MS = 731 * 86_400_000

/** Reads what an overview tells from schema `analytics`. */
export async function readOverview(tx: Transaction<Database>, subject: OverviewSubject): Promise<OverviewData> {
  const head = await readHead(tx, subject)
  const course = subject.course ?? null
  const span = { ...head, course }
  const periodLength = head.to - head.from > LONGEST_BY_WEEKS_MS ? 'month' : 'week'
  const { rows: periods } = await sql<Period>`
    select ${wallMs(sql`${sql.ref(`${periodLength}_start`)}::timestamp`)} as start, ${attendanceFigures}
    from analytics.fact_room_session
    where ${within(span)}
    group by 1
    order by 1`.execute(tx)
  const { rows: courses } = await sql<CourseFigures & { inAll: number }>`
    select c.*, s.students
    from (
      select course, ${attendanceFigures}, count(*) over ()::int as "inAll"
      from analytics.fact_room_session
      where ${within(span)}
      group by course
      order by count(*) desc, course
      limit ${MOST_COURSES}
    ) as c
    left join (
      select course, count(distinct user_id)::int as students
      from analytics.fact_attendance
      where ${within(span)} and is_student
      group by course
    ) as s using (course)
    order by attended::float8 / nullif(expected, 0) nulls last, course`.execute(tx)
  const atRisk = await readAtRisk(tx, span)
  return {
    ...head,
    course,
    totals: await readTotals(tx, span),
    periodLength,
    periods,
    courses,
    coursesInAll: courses[0]?.inAll ?? 0,
    atRisk,
    atRiskInAll: atRisk[0]?.inAll ?? 0,
    completeness: await readCompleteness(tx, head),
  }
}

/** Students of the courses that met in the span. The view works out only the courses it is asked for, if it is told them. */
async function readAtRisk(tx: Transaction<Database>, span: Span): Promise<(StudentAtRisk & { inAll: number })[]> {
  const { rows: met } = await sql<{ course: string }>`
    select distinct course from analytics.dim_room where ${within(span)}`.execute(tx)
  const { rows } = await sql<StudentAtRisk & { inAll: number }>`
    select sdk_app_id as "sdkAppId", user_id as "userId", course, risk_level as "riskLevel", risk_reasons as "riskReasons",
      sessions::int, missed::int, absence_rate::float8 as "absenceRate",
      average_present_ratio::float8 as "averagePresentRatio", last_missed::int as "lastMissed", trend::float8,
      count(*) over ()::int as "inAll"
    from analytics.agg_student_course
    where course = any(${met.map(({ course }) => course)}) and risk_level in ('at_risk', 'high')
    order by (risk_level = 'high') desc, absence_rate desc, missed desc, course, user_id
    limit ${MOST_AT_RISK}`.execute(tx)
  return rows
}

type Head = Pick<OverviewData, 'timeZone' | 'from' | 'to' | 'riskSessions'>

async function readHead(tx: Transaction<Database>, { from, to }: OverviewSubject): Promise<Head> {
  const local = (time: SchoolTime) =>
    'at' in time ? sql`(${time.at}::timestamptz at time zone time_zone)` : sql`${time.local}::timestamp`
  const { rows } = await sql<Head>`
    select time_zone as "timeZone", risk_sessions as "riskSessions", ${wallMs(local(from))} as from, ${wallMs(local(to))} as to
    from analytics.settings`.execute(tx)
  const [head] = rows
  if (!head) throw new TypeError('There are no settings.')
  if (head.from >= head.to) throw new UsageError('E_USAGE', '--from has to be before --to.')
  return head
}

interface Span {
  readonly from: number
  readonly to: number
  readonly course: string | null
}

async function readTotals(tx: Transaction<Database>, span: Span): Promise<OverviewTotals> {
  const { rows } = await sql<OverviewTotals>`
    select ${attendanceFigures}, coalesce(sum(greatest(length_seconds, 0)), 0)::float8 / 3600 as hours,
      (select count(distinct user_id)::int from analytics.fact_attendance where ${within(span)} and is_student) as students
    from analytics.fact_room_session
    where ${within(span)}`.execute(tx)
  const [totals] = rows
  if (!totals) throw new TypeError('There are no totals.')
  return totals
}

/** Of classes that started in the span. Dates are indexed, times are exact; both are local. */
function within({ from, to, course }: Span): RawBuilder<unknown> {
  const local = (wall: number) => sql`${new Date(wall).toISOString().slice(0, 23)}::timestamp`
  return sql`start_date between ${local(from)}::date and ${local(to)}::date
      and started_at >= ${local(from)} at time zone (select time_zone from analytics.settings)
      and started_at < ${local(to)} at time zone (select time_zone from analytics.settings)
      ${course === null ? sql`` : sql`and course = ${course}`}`
}

/** Rates are of classes of which it is known who should come, how long they were, and who came: members may be deleted. */
const isListed = sql`roster_known and length_seconds > 0 and expected is not null`

const attendanceFigures = sql`count(*)::int as classes, count(*) filter (where ${isListed})::int as "listedClasses",
      coalesce(sum(expected) filter (where ${isListed}), 0)::int as expected,
      coalesce(sum(attended) filter (where ${isListed}), 0)::int as attended,
      coalesce(sum(no_show) filter (where ${isListed}), 0)::int as absent,
      coalesce(sum(late), 0)::int as late, coalesce(sum(left_early), 0)::int as "leftEarly",
      (sum(average_present_ratio * expected) / nullif(sum(expected) filter (where average_present_ratio is not null), 0))::float8
        as "averagePresentRatio",
      (sum(average_engagement * joined) / nullif(sum(joined) filter (where average_engagement is not null), 0))::float8
        as "averageEngagement"`
