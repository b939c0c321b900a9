import { sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables'
import {
  type Absentee,
  type AttendanceKind,
  type ClassData,
  type ClassFigures,
  type ClassMember,
  type ClassRoom,
  type ConcurrencyPoint,
  type Finding,
  MOST_MEMBERS,
  type Thresholds,
} from './class-data'
import { wallMs, wallMsOf } from './wall-time'

/** A curve of more points shows no more. */
const MOST_POINTS = 600

/** Members named with a finding. */
const MOST_EXAMPLES = 10

/**
 * Reads what a class report tells from schema `analytics`.
 *
 * @returns undefined if the room is not in the archive, or is not for this role to see
 */
export async function readClass(tx: Transaction<Database>, roomId: bigint): Promise<ClassData | undefined> {
  const room = await readRoom(tx, roomId)
  if (!room) return undefined
  const { timeZone, lateAfterSeconds, earlyBeforeSeconds, attendedRatio, ...rest } = room
  const { kinds, presence } = await readCounts(tx, roomId)
  const inAll = Object.values(kinds).reduce((sum, count) => sum + count, 0)
  const absenteesInAll = kinds.no_show ?? 0
  return {
    timeZone,
    thresholds: { lateAfterSeconds, earlyBeforeSeconds, attendedRatio },
    room: { ...rest, roomId },
    figures: await readFigures(tx, roomId),
    kinds,
    members: await readMembers(tx, roomId),
    membersInAll: inAll - absenteesInAll,
    absentees: await readAbsentees(tx, roomId),
    absenteesInAll,
    presence,
    concurrency: await readConcurrency(tx, roomId),
    findings: await readFindings(tx, roomId),
  }
}

type RoomRow = Omit<ClassRoom, 'roomId'> & Thresholds & { readonly timeZone: string }

async function readRoom(tx: Transaction<Database>, roomId: bigint): Promise<RoomRow | undefined> {
  const { rows } = await sql<RoomRow>`
    select s.time_zone as "timeZone", s.late_after_seconds as "lateAfterSeconds",
      s.early_before_seconds as "earlyBeforeSeconds", s.attended_ratio as "attendedRatio",
      r.sdk_app_id as "sdkAppId", r.room_name as name, r.course, r.teacher_id as "teacherId", r.room_type as "roomType",
      ${wallMs(sql`r.started_at_local`)} as "startedAt", ${wallMs(sql`r.ended_at_local`)} as "endedAt",
      ${wallMsOf(sql`r.scheduled_start_at`)} as "scheduledStartAt",
      ${wallMsOf(sql`r.scheduled_end_at`)} as "scheduledEndAt",
      r.length_seconds::float8 as "lengthSeconds", r.roster_known as "rosterKnown", r.records,
      r.erased_members as "erasedMembers", ${wallMsOf(sql`r.members_pruned_at`)} as "membersPrunedAt", r.revision,
      ${wallMsOf(sql`r.archived_at`)} as "archivedAt"
    from analytics.dim_room r
    cross join analytics.settings s
    where r.room_id = ${roomId}`.execute(tx)
  return rows[0]
}

async function readFigures(tx: Transaction<Database>, roomId: bigint): Promise<ClassFigures> {
  const { rows } = await sql<ClassFigures>`
    select expected::int, joined::int, attended::int, no_show::int as "noShow", partial::int, late::int,
      left_early::int as "leftEarly", staff::int, attendance_rate::float8 as "attendanceRate",
      average_present_ratio::float8 as "averagePresentRatio", average_engagement::float8 as "averageEngagement",
      peak_members as "peakMembers", online_members as "onlineMembers", message_count as "messageCount",
      mic_count as "micCount", hand_ups::float8 as "handUps", rewards::float8, answers::float8
    from analytics.fact_room_session
    where room_id = ${roomId}`.execute(tx)
  const [figures] = rows
  if (!figures) throw new TypeError('A room has no session.')
  return figures
}

/** Who is shown as what, and how long students were present by tenths of the class. */
async function readCounts(tx: Transaction<Database>, roomId: bigint): Promise<Pick<ClassData, 'kinds' | 'presence'>> {
  const { rows } = await sql<{ kind: AttendanceKind; tenth: number | null; members: number }>`
    select case when is_student then coalesce(attendance_status, 'unknown') else 'staff' end as kind,
      case when present_ratio < 1 then floor(present_ratio * 10)::int when present_ratio = 1 then 9 end as tenth, count(*)::int as members
    from analytics.fact_attendance
    where room_id = ${roomId}
    group by 1, 2`.execute(tx)
  const kinds: Partial<Record<AttendanceKind, number>> = {}
  const presence = Array.from({ length: 10 }, () => 0)
  for (const { kind, tenth, members } of rows) {
    kinds[kind] = (kinds[kind] ?? 0) + members
    if (tenth !== null && kind !== 'no_show') presence[tenth] = (presence[tenth] ?? 0) + members
  }
  return { kinds, presence }
}

async function readMembers(tx: Transaction<Database>, roomId: bigint): Promise<readonly ClassMember[]> {
  const { rows } = await sql<ClassMember>`
    select user_id as "userId", role, is_student as "isStudent", ${wallMs(sql`first_join_at_local`)} as "firstJoinAt",
      ${wallMs(sql`last_quit_at_local`)} as "lastQuitAt", present_seconds as "presentSeconds",
      present_ratio::float8 as "presentRatio", late_seconds::float8 as "lateSeconds", is_late as "isLate",
      early_seconds::float8 as "earlySeconds", left_early as "leftEarly", away_seconds::float8 as "awaySeconds",
      attendance_status as status, mic_count as "micCount", message_count as "messageCount", hand_ups as "handUps",
      rewards, answers, engagement_score::float8 as "engagementScore"
    from analytics.fact_attendance
    where room_id = ${roomId} and no_show is not true
    order by first_join_at nulls last, user_id
    limit ${MOST_MEMBERS}`.execute(tx)
  return rows
}

async function readAbsentees(tx: Transaction<Database>, roomId: bigint): Promise<readonly Absentee[]> {
  const { rows } = await sql<Absentee>`
    select user_id as "userId", group_id as "groupId"
    from analytics.fact_attendance
    where room_id = ${roomId} and no_show
    order by group_id nulls last, user_id
    limit ${MOST_MEMBERS}`.execute(tx)
  return rows
}

/** The curve; of very many points the highest in each of as many equal spans of time, which keeps its peaks. */
async function readConcurrency(tx: Transaction<Database>, roomId: bigint): Promise<readonly ConcurrencyPoint[]> {
  const { rows } = await sql<ConcurrencyPoint>`
    select ${wallMs(sql`at_local`)} as at, members::int
    from (
      select at_local, members, points, first_value(at_local) over of_slot = at_local as is_highest
      from (
        select at_local, members, count(*) over () as points,
          width_bucket(extract(epoch from at_local), min(extract(epoch from at_local)) over (),
            max(extract(epoch from at_local)) over () + 1, ${MOST_POINTS}) as slot,
          lead(at_local) over (order by at_local) is null as is_last
        from analytics.fact_concurrency
        where room_id = ${roomId}
      ) as curve
      window of_slot as (partition by slot, is_last order by members desc, at_local)
    ) as thinned
    where points <= ${MOST_POINTS} or is_highest
    order by 1`.execute(tx)
  return rows
}

async function readFindings(tx: Transaction<Database>, roomId: bigint): Promise<readonly Finding[]> {
  const { rows } = await sql<Finding>`
    select finding, min(finding_label) as label, min(explanation) as explanation,
      bool_or(severity = 'contradiction') as "isContradiction", count(*)::int as count,
      coalesce((array_agg(user_id order by user_id) filter (where user_id is not null))[1:${sql.lit(MOST_EXAMPLES)}], '{}') as "userIds",
      (min(lcic_value) filter (where user_id is null))::float8 as "lcicValue",
      (min(archive_value) filter (where user_id is null))::float8 as "archiveValue"
    from analytics.data_quality
    where room_id = ${roomId}
    group by finding
    order by 4 desc, 5 desc, finding`.execute(tx)
  return rows
}
