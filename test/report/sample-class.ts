import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

export interface SampleClass {
  readonly roomId: bigint
  /** A teacher and so many students. */
  readonly students: number
  readonly name?: string | null
  readonly startedAt?: Date | null
  readonly endedAt?: Date | null
  /** Absentees are listed; otherwise they are not there at all. */
  readonly hasRoster?: boolean
  readonly sdkAppId?: bigint
}

/** Names that would break a page, a chart or a line, and names of the field. */
export const sampleNames = [
  '王小明',
  '<b>B</b> & role="quoted"',
  "O'Brien </script><script>alert(1)</script>",
  '李雷 🎓',
  'محمد العربي',
  '\u202eevil',
  '',
  'A name that goes on and on, as if nobody had to read it in a chart',
  '韩梅梅',
  'Anna-Lena Müller',
]

/**
 * Puts a class into the archive: most are there from beginning to end, every 11th is late, every 13th leaves early, every
 * 17th stays too short, every 9th never comes. The same each time.
 */
export async function insertClass(
  db: Kysely<Database>,
  {
    roomId,
    students,
    name = '高一数学 第12讲',
    startedAt = new Date('2026-03-02T00:00:00Z'),
    endedAt = new Date('2026-03-02T00:45:00Z'),
    hasRoster = true,
    sdkAppId = 1_400_000_001n,
  }: SampleClass,
): Promise<void> {
  const from = startedAt ?? new Date('2026-03-02T00:00:00Z')
  const seconds = endedAt ? (endedAt.getTime() - from.getTime()) / 1000 : 2700
  await sql`
    insert into archive.member_records (room_id, user_id, user_name, present_seconds, camera, mic, silence, answer_questions,
      hand_ups, first_join_at, last_quit_at, rewards, ip_address, location, device, mic_count, message_count, role, group_id,
      stage, current_state, extra, archived_at, changed_at)
    select ${roomId}, user_id, user_name, case when came then floor(extract(epoch from quit_at - join_at) * (0.9 + 0.1 * draw)) else 0 end,
      1, 1, 0, case when came then floor(draw * 5) else 0 end, case when came then floor(draw * draw * 6) else 0 end,
      case when came then join_at end, case when came then quit_at end, case when draw > 0.7 then 1 else 0 end,
      '198.51.100.' || seat % 250, '广东深圳', 1 + seat % 7, case when came then floor(draw * 4) else 0 end,
      case when came then floor(draw * 12) else 0 end, case when seat = 0 then 1 else 0 end,
      ${hasRoster ? 'class-7' : null}::text, 0, case when came then 2 else 0 end, '{}', '2026-03-02T01:00Z', '2026-03-02T01:00Z'
    from (
      select seat, case when seat = 0 then 'teacher-001' else 'stu-' || lpad(seat::text, 6, '0') end as user_id,
        (${sql.val(sampleNames)}::text[])[1 + seat % ${sampleNames.length}::int] as user_name,
        seat = 0 or seat % 9 > 0 as came, draw,
        ${from}::timestamptz + interval '1 second' * floor(case when seat = 0 then -180 when seat % 11 = 0 then ${seconds}::float8 * 0.2 + 300 * draw
          else 200 * draw * draw - 90 end) as join_at,
        ${from}::timestamptz + interval '1 second' * floor(${seconds}::float8 + case when seat = 0 then 60
          when seat % 17 = 0 then ${seconds}::float8 * (-0.9 + 0.2 * draw) when seat % 13 = 0 then ${seconds}::float8 * (-0.4 + 0.2 * draw)
          else 100 * draw - 40 end) as quit_at
      from (select seat, (seat * 7919 % 1000) / 1000.0::float8 as draw from generate_series(0, ${students}::int) as seat) as seats
    ) as members
    where came or ${hasRoster}`.execute(db)
  await sql`
    insert into archive.rooms (room_id, sdk_app_id, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at,
      real_start_at, real_end_at, peak_member_number, member_number, total, message_count, mic_count, extra, revision, attempt,
      content_hash, archived_at, changed_at)
    select ${roomId}, ${sdkAppId}, ${name}, 'teacher-001', 1, ${startedAt}, ${endedAt}, ${startedAt}, ${endedAt},
      floor(count(first_join_at) * 0.9), count(first_join_at), count(*), coalesce(sum(message_count), 0), coalesce(sum(mic_count), 0), '{}',
      1, 1, '', '2026-03-02T01:00Z', '2026-03-02T01:00Z'
    from archive.member_records where room_id = ${roomId}`.execute(db)
}

/** Two courses, twice a week for four weeks of April 2026: 8 classes each, the first of 20 students, each of one more. */
export async function insertMonth(db: Kysely<Database>): Promise<void> {
  const courses = ['物理 <甲班>', 'English 1']
  for (let lesson = 0; lesson < 8; lesson++) {
    for (const [index, course] of courses.entries()) {
      const startedAt = new Date(Date.UTC(2026, 3, 6 + 7 * Math.floor(lesson / 2) + 3 * (lesson % 2), 1 + index))
      await insertClass(db, {
        roomId: BigInt(5000 + lesson * 2 + index),
        students: 20 + lesson,
        name: `${course} 第${lesson + 1}讲`,
        startedAt,
        endedAt: new Date(startedAt.getTime() + 45 * 60_000),
      })
    }
  }
  // All ended as LCIC lists them; one is not archived yet.
  await sql`
    insert into archive.jobs (room_id, sdk_app_id, state, due_at, hinted_by, ended_at, archived_at, deadline_at)
    select room_id, sdk_app_id, 'archived', null::timestamptz, 'sweep', real_end_at, archived_at, real_end_at + interval '180 days'
    from archive.rooms where room_id between 5000 and 5015
    union all
    select 5016, 1400000001, 'pending', '2026-04-27T03:00Z', 'sweep', '2026-04-27T02:45Z', null, '2026-09-20T00:00Z'`.execute(
    db,
  )
}
