import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'
import { contentHash, insertPages, insertSecondReads, requestId } from './school-pages'

/** How large the school is. A room has 30 members: a teacher, an assistant or a supervisor, and 28 students. */
export interface SchoolSize {
  readonly courses: number
  /** Of each course, two a week. */
  readonly sessions: number
  readonly students: number
  /** Classes of 10 to 50 members, 30 on average, in place of 30 each. */
  readonly mixed?: boolean
  /** Room ids that are left free in the middle. */
  readonly free?: number
  /** With the raw pages, and the second read of each room a day later. */
  readonly pages?: boolean
}

/** The two apps of the school; every fifth course belongs to the second. */
export const apps = [1_400_000_001n, 1_400_000_002n] as const

/** The first room of a school has the number after this one. */
export const roomsFrom = 300_000_000

/**
 * Loads a school's last year into the archive: courses whose students come week after week (or don't), some of whom drop
 * out for others; members who are late, leave early, are away in between or never come; classes of which nobody knows who
 * should have come; staff; rooms that are not archived yet or never will be. The same school each time, but for its dates,
 * which end this week.
 *
 * The tables are filled by SQL in the order in which a worker would have, their triggers and indexes in place.
 */
export async function loadSchool(db: Kysely<Database>, size: SchoolSize): Promise<void> {
  await db.connection().execute(async (session) => {
    await planLessons(session, size, sql`temp table lessons`)
    await insertLessons(session, size)
    await insertSweeps(session)
  })
  // As autovacuum does it: tables of a few rows it leaves alone.
  await sql`
    vacuum analyze archive.rooms, archive.member_records, archive.jobs, archive.known_rooms, archive.runs`.execute(db)
}

/** Makes a table of all lessons, by room id: later ones have higher ids. */
export async function planLessons(
  session: Kysely<Database>,
  { courses, sessions, mixed = false, free = 0 }: SchoolSize,
  table: RawBuilder<unknown>,
): Promise<void> {
  await sql`
    create ${table} as
    select ${roomsFrom}::int + number + case when number > ${courses * sessions}::int / 2 then ${free}::int else 0 end as room_id, l.*
    from (
      select row_number() over (order by start_at, course) as number, *
      from (
        select course, lesson, case when course % 5 = 0 then ${apps[1]}::bigint else ${apps[0]}::bigint end as app,
          -- Of every fourth course nobody knows who should come.
          course % 4 <> 3 as roster,
          case when ${mixed} then (array[10, 15, 20, 25, 30, 30, 35, 40, 45, 50])[1 + course / 7 % 10] else 30 end as seats,
          (date_trunc('week', now() at time zone 'Asia/Shanghai') - interval '1 week' * (${sessions}::int / 2 + 12)
            + interval '1 week' * (course % 12 + lesson / 2)
            + interval '1 day' * (course % 3 + 2 * (lesson % 2))
            + interval '1 hour' * (8 + course % 11)) at time zone 'Asia/Shanghai' as start_at,
          interval '1 minute' * (array[40, 45, 60, 90])[1 + course % 4] as length
        from generate_series(0, ${courses}::int - 1) as course, generate_series(0, ${sessions}::int - 1) as lesson
      ) as planned
    ) as l
    order by number`.execute(session)
}

/** Archives what the table `lessons` holds: all of a school, or as much of it as is made at once. */
export async function insertLessons(session: Kysely<Database>, size: SchoolSize): Promise<void> {
  await sql`analyze lessons`.execute(session)
  await insertMembers(session, size)
  await countMembers(session)
  if (size.pages) await insertPages(session)
  await insertRooms(session, size)
  await insertJobs(session)
  if (size.pages) await insertSecondReads(session)
}

/** Whatever LCIC listed until now is known. */
export async function insertSweeps(session: Kysely<Database>): Promise<void> {
  await sql`
    insert into archive.sweeps (sdk_app_id, swept_from, swept_until, started_at, finished_at, rooms)
    select app, now() - interval '52 weeks', now(), now() - interval '1 minute', now(), 100
    from unnest(${sql.lit(`{${apps.join(',')}}`)}::bigint[]) as app`.execute(session)
}

async function insertMembers(session: Kysely<Database>, size: SchoolSize): Promise<void> {
  const { students, sessions } = size
  const teachers = teachersOf(size)
  // Materialized, so that each is computed once, however often those that follow name it.
  await sql`
    with seats as materialized (
      select l.*, start_at + length as end_at, seat,
        -- Some give their seat up in the course of the year, and somebody else takes it.
        (course * 37 + seat * 179 + case
          when ${chance(sql`'leaves ' || course || ' ' || seat`)} < 0.15
            and lesson > ${sessions}::int * ${chance(sql`'when ' || course || ' ' || seat`)} then 2500 else 0 end) % ${students}::int as student
      from lessons l, generate_series(0, seats - 1) as seat
    ), fates as materialized (
      select *, case when seat > 1 then ${chance(sql`room_id || ' ' || seat || ' came'`)} end as fate,
        -- Most are seldom absent, a few often; some come less and less.
        0.01 + 0.4 * power(${chance(sql`'absence ' || student`)}, 5)
          + case when student % 17 = 0 then 0.4 * lesson / ${sessions}::int else 0 end as absence
      from seats
    ), members as materialized (
      select *, coalesce(fate < absence, false) as absent,
        case seat when 0 then 'teacher-' || course % ${teachers}::int when 1 then 'staff-' || course % (${teachers}::int / 2)
          else 'stu-' || lpad((student
            -- Where nobody has to come, a guest comes instead.
            + case when not roster and fate < absence then ${students}::int else 0 end)::text, 6, '0') end as user_id,
        ${chance(sql`room_id || ' ' || seat || ' join'`)} as join_draw,
        ${chance(sql`room_id || ' ' || seat || ' quit'`)} as quit_draw,
        ${chance(sql`room_id || ' ' || seat || ' away'`)} as away_draw,
        ${chance(sql`room_id || ' ' || seat || ' do'`)} as do_draw
      from fates
    ), stays as materialized (
      select *, roster and absent as is_absentee,
        case when seat > 1 and join_draw < 0.12 then start_at + length * (0.1 + join_draw * 3)
          else start_at - interval '1 second' * floor(400 * join_draw) + interval '100 seconds' end as join_at,
        case when seat > 1 and quit_draw < 0.08 then end_at - length * (0.1 + quit_draw * 3)
          else end_at + interval '1 second' * floor(120 * quit_draw) - interval '40 seconds' end as quit_at
      from members
    )
    insert into archive.member_records (
      room_id, user_id, user_name, present_seconds, camera, mic, silence, answer_questions, hand_ups, first_join_at,
      last_quit_at, rewards, ip_address, location, device, mic_count, message_count, role, group_id, sub_group_ids, stage,
      current_state, archived_at, changed_at, removed_at)
    select room_id, user_id,
      (array['王', '李', '张', '刘', '陈'])[1 + abs(hashtext(user_id)) % 5] || (array['伟', '芳', '娜', '敏', '静', '磊'])[1 + abs(hashtext(user_id)) % 6],
      case when is_absentee then 0 else greatest(0, floor(extract(epoch from least(quit_at, end_at) - greatest(join_at, start_at + interval '4 minutes'))
        * case when away_draw < 0.2 then 1 - 3 * away_draw when away_draw > 0.99 then 2 else 1 end)) end,
      (not is_absentee and do_draw < 0.5)::int, (not is_absentee and do_draw < 0.3)::int, (do_draw < 0.1)::int,
      case when is_absentee or seat <= 1 then 0 else floor(5 * do_draw) end,
      case when is_absentee or seat <= 1 then 0 else floor(8 * quit_draw) end,
      case when not is_absentee then date_trunc('second', join_at) end,
      case when not is_absentee then date_trunc('second', quit_at) end,
      case when is_absentee or seat <= 1 then 0 else floor(4 * away_draw) end,
      case when is_absentee then '' else '192.0.2.' || 1 + abs(hashtext(user_id)) % 250 end,
      case when is_absentee then '' else (array[
        '中国广东省深圳市', '中国广东省广州市', '中国上海市', '中国北京市', '中国四川省成都市', '中国浙江省杭州市', '中国内蒙古自治区呼和浩特市',
        '中国新疆维吾尔自治区乌鲁木齐市', '中国香港', 'España, Málaga', 'Unknown', ''
      ])[1 + floor(12 * power(${chance(sql`'home ' || user_id`)}, 1.5))] end,
      case when is_absentee then 0 else (array[1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7])[1 + floor(14 * ${chance(sql`user_id || ' ' || (lesson / 20)`)})] end,
      case when is_absentee or do_draw > 0.3 then 0 else floor(5 * away_draw) end,
      case when is_absentee then 0 else floor(20 * join_draw) end,
      case seat when 0 then 1 when 1 then 2 + course % 2 else 0 end,
      case when seat > 1 and roster then 'class-' || lpad(course::text, 3, '0') else '' end,
      case when do_draw < 0.1 then array['table-1', 'team-2'] end,
      (not is_absentee and do_draw < 0.3)::int, case when is_absentee then 0 when do_draw > 0.99 then 3 else 2 end,
      end_at + interval '3 minutes', end_at + interval '3 minutes',
      case when seat > 1 and ${chance(sql`room_id || ' ' || seat || ' removed'`)} < 0.0005 then end_at + interval '1 day' end
    from stays
    order by room_id, seat`.execute(session)
}

/** What LCIC says of each room as a whole. A few have odd figures: no times at all, no length, a peak below those who were there at once. */
async function countMembers(session: Kysely<Database>): Promise<void> {
  await sql`
    create temp table figures as
    select room_id, records, came, came - case when room_id % 100 = 2 then 5 else 0 end as peak, messages, mics,
      case when room_id % 500 <> 0 then start_at + interval '1 second' * (room_id % 240) end as real_start_at,
      case room_id % 500 when 0 then null when 1 then start_at + interval '1 second' * (room_id % 240) else start_at + length end as real_end_at
    from lessons l
    cross join lateral (
      select count(first_join_at) as came, count(*) as records, sum(message_count) as messages, sum(mic_count) as mics
      from archive.member_records m where m.room_id = l.room_id and removed_at is null
    ) as counted`.execute(session)
  await sql`analyze figures`.execute(session)
}

/** Each has three courses, in schools that are not small. */
function teachersOf({ courses }: SchoolSize): number {
  return Math.max(80, 2 * Math.round(courses / 6))
}

async function insertRooms(session: Kysely<Database>, size: SchoolSize): Promise<void> {
  await sql`
    insert into archive.rooms (
      room_id, sdk_app_id, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at, real_start_at, real_end_at,
      peak_member_number, member_number, total, message_count, mic_count, revision, attempt, content_hash, archived_at,
      changed_at)
    select room_id, app,
      (array['数学', '语文', '英语', '物理', '化学', '历史'])[1 + course % 6] || ' ' || 1 + course / 6 || '班 第' || lesson + 1 || '课',
      'teacher-' || course % ${teachersOf(size)}::int, course % 4, start_at, start_at + length,
      real_start_at, real_end_at, peak, came, records, messages, mics, 1, 1,
      coalesce((${contentHash}), md5(room_id::text)),
      start_at + length + interval '3 minutes', start_at + length + interval '3 minutes'
    from lessons
    join figures using (room_id)
    order by room_id`.execute(session)
}

async function insertJobs(session: Kysely<Database>): Promise<void> {
  await sql`
    insert into archive.jobs (
      room_id, sdk_app_id, state, waits, due_at, deadline_at, hinted_by, ended_at, archived_at, created_at, updated_at,
      last_request_id)
    select room_id, app, 'archived', false, null, start_at + length + interval '180 days', 'callback', start_at + length,
      start_at + length + interval '3 minutes', start_at + length, start_at + length, ${requestId}
    from lessons`.execute(session)
  // And those without statistics.
  await sql`
    insert into archive.jobs (
      room_id, sdk_app_id, state, waits, due_at, deadline_at, hinted_by, ended_at, created_at, updated_at)
    select room_id + 100000000, app, (array['pending', 'expired', 'missing', 'failed'])[1 + room_id / 50 % 4], true,
      case when room_id / 50 % 4 = 0 then now() + interval '1 day' end, start_at + length + interval '180 days', 'sweep',
      start_at + length, start_at + length, start_at + length
    from lessons where room_id % 50 = 0`.execute(session)
  await sql`
    insert into archive.known_rooms (
      room_id, sdk_app_id, status, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at, real_start_at,
      real_end_at, listed_at, changed_at)
    select room_id, app, 2, '', '', 0, start_at, start_at + length, start_at, start_at + length, start_at + length,
      start_at + length
    from lessons`.execute(session)
  await sql`
    insert into archive.runs (
      room_id, attempt, started_at, finished_at, outcome, request_ids, pages, records, inserted, content_hash)
    select room_id, 1, start_at + length + interval '170 seconds', start_at + length + interval '3 minutes', 'archived',
      array[${requestId}], 1, records, records, (select content_hash from archive.rooms r where r.room_id = lessons.room_id)
    from lessons
    join figures using (room_id)
    order by room_id`.execute(session)
}

/** From 0 to 1, by what is to have its own luck: the same each time. */
function chance(of: RawBuilder<unknown>): RawBuilder<number> {
  return sql`((hashtext(${of})::bigint + 2147483648) / 4294967296::float8)`
}
