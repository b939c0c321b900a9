import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../lib/db/tables'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { archivedAt, insertRooms, insertRows, later, shanghai } from './rows'
import { E, S, tinyRooms, worked, workedRoom, workedRooms } from './worked-class'
import { courseRooms, students, weeks } from './worked-course'
import { codedRoom, doubtfulRooms, duplicateRun, lateRoom, mixedRoom, monthlyRooms, nextRoom } from './worked-rooms'

const T = shanghai('2026-02-23', '09:00:00')

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
    const { db } = database
    await insertRooms(db, [...workedRooms, ...courseRooms, ...monthlyRooms, mixedRoom, ...doubtfulRooms])
    await insertRooms(db, [codedRoom, lateRoom, nextRoom])
    await insertRows(db, 'runs', [duplicateRun])
  })
  afterAll(() => database?.drop())

  /** Rows of a query on the views: numbers to nine places, ids as numbers. */
  async function ask(query: string, db: Kysely<Database> = database.db): Promise<unknown[][]> {
    const { rows } = await sql.raw<Record<string, unknown>>(query).execute(db)
    return rows.map((row) => Object.values(row).map(plain))
  }

  test('fact_attendance: what became of each member', async () => {
    const rooms = [{ room: workedRoom, members: worked }, ...tinyRooms]
    const [{ measures }] = worked as [(typeof worked)[number]]
    const columns = Object.keys(measures)
    const seen = await ask(
      `select room_id, user_id, ${columns} from analytics.fact_attendance where sdk_app_id = 1 order by 1, 2`,
    )
    const expected = rooms.flatMap(({ room, members }) =>
      members.map(({ record, measures }) => [room.room_id, record.user_id, ...Object.values(measures).map(plain)]),
    )
    expect(seen).toEqual(expected.sort((a, b) => `${a[0]} ${a[1]}`.localeCompare(`${b[0]} ${b[1]}`)))

    const { rows } = await sql`
      select * from analytics.fact_attendance where room_id = 101 and user_id = 's01'`.execute(database.db)
    expect(rows).toEqual([
      {
        ...{ room_id: 101n, user_id: 's01', sdk_app_id: 1n, room_name: 'Worked class', course: 'Worked class' },
        ...{ start_date: '2026-03-02', week_start: '2026-03-02', month_start: '2026-03-01' },
        ...{ started_at: S, ended_at: E, length_seconds: 3600n },
        // An empty group is none.
        ...{ role: 0, role_label: 'student', is_student: true, group_id: null, sub_group_ids: null },
        ...{ device: 5, device_label: 'web', current_state: 2, current_state_label: 'offline', joined: true },
        ...{ first_join_at: S, first_join_at_local: '2026-03-02 09:00:00' },
        ...{ last_quit_at: E, last_quit_at_local: '2026-03-02 10:00:00' },
        ...{ present_seconds: 3600, present_ratio: 1, late_seconds: 0n, is_late: false, early_seconds: 0n },
        ...{ left_early: false, away_seconds: 0n, no_show: false, attended: true },
        ...{ attendance_status: 'present', attendance_status_label: 'present' },
        ...{ camera: true, mic: true, muted: false, on_stage: true, answers: 8, hand_ups: 5, rewards: 2 },
        ...{ mic_count: 4, message_count: 10, engagement_score: 10, archived_at: archivedAt, changed_at: archivedAt },
      },
    ])
    expect(await ask('select sub_group_ids from analytics.fact_attendance where room_id = 103')).toEqual([[['a', 'b']]])
    expect(
      await ask(`
        select distinct attendance_status, attendance_status_label from analytics.fact_attendance
        where room_id = 101 and is_student order by 1`),
    ).toEqual([
      ['late', 'late'],
      ['left_early', 'left early'],
      ['no_show', 'never came'],
      ['partial', 'too short'],
      ['present', 'present'],
    ])
  })

  test('every code has its label, and one that nobody knows says so', async () => {
    expect(
      await ask(`
        select device_label, current_state_label, role_label, is_student from analytics.fact_attendance
        where room_id = 701 order by user_id`),
    ).toEqual([
      ['unknown', 'not arrived', 'student', true],
      ['Windows', 'online', 'teacher', false],
      ['macOS', 'offline', 'assistant', false],
      ['Android', 'kicked', 'supervisor', false],
      ['iOS', 'kicked for good', 'supervisor', false],
      ['web', 'dropped for now', 'supervisor', false],
      ['mobile web', 'dropped for now', 'supervisor', false],
      ['mini program', 'dropped for now', 'supervisor', false],
    ])
    expect(
      await ask(`
        select role, role_label, device, device_label, current_state, current_state_label, room_type, room_type_label
        from analytics.fact_attendance join analytics.dim_room using (room_id) where room_id = 109`),
    ).toEqual([[9, 'unknown', 42, 'unknown', 17, 'unknown', 8, 'unknown']])
    expect(
      await ask(`
        select distinct room_type, room_type_label from analytics.dim_room where room_type < 4 order by 1`),
    ).toEqual([
      [0, 'small class'],
      [1, 'large class'],
      [2, 'one to one'],
      [3, 'round table'],
    ])
  })

  test('fact_room_session: each class in numbers', async () => {
    expect(
      await ask(`
        select room_id, roster_known, expected, joined, attended, no_show, partial, late, left_early, staff, attendance_rate,
          join_rate, late_rate, average_present_ratio, average_engagement
        from analytics.fact_room_session where sdk_app_id = 1 order by 1`),
    ).toEqual(
      rounded([
        // Online for 3600 · 2 + 3300 + 3299 · 2 + 3300 + 1800 + 1799 + 0 + 2400 + 1000 = 27397 s, of 11 hours; the scores of
        // the ten who came: 10 + 4 + .5 + .4 + .4 + 1 + .5 + 0 + 1 + 0 = 17.8. Late: s04, s08, s10; early: s05, s08, s10.
        [101, true, 11, 10, 8, 1, 2, 3, 3, 1, 8 / 11, 10 / 11, 0.3, 27_397 / 3600 / 11, 1.78],
        [102, false, 2, 2, 1, null, 1, 0, 1, 0, null, null, 0, 0.625, 0],
        [103, true, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0],
        [104, true, 2, 1, 0, 1, 0, 0, 0, 0, null, 0.5, 0, null, 0],
        [105, false, 0, 0, 0, null, 0, 0, 0, 3, null, null, null, null, null],
        [106, false, 0, 0, 0, null, 0, 0, 0, 0, null, null, null, null, null],
        [107, true, 3, 1, 1, 1, 1, 0, 0, 1, 1 / 3, 1 / 3, 0, 1 / 3, 0],
        [108, false, 1, 1, 1, null, 0, 0, 0, 0, null, null, 0, 1, 2],
        [109, false, 0, 0, 0, null, 0, 0, 0, 1, null, null, null, null, null],
      ]),
    )
    // Of a class whose members were deleted nobody knows any more how many came.
    expect(
      await ask(`
        select expected, joined, attended, no_show, late, staff, hand_ups, join_rate, online_members
        from analytics.fact_room_session where room_id = 513`),
    ).toEqual([[...Array(8).fill(null), 30]])
    expect(
      await ask(`
        select room_name, course, teacher_id, room_type, room_type_label, started_at, started_at_local, ended_at,
          ended_at_local, start_date, week_start, month_start, length_seconds, peak_members, online_members, message_count,
          mic_count, hand_ups, rewards, answers, archived_at, changed_at
        from analytics.fact_room_session where room_id = 101`),
    ).toEqual([
      [
        ...['Worked class', 'Worked class', 'teacher', 0, 'small class', S, '2026-03-02 09:00:00', E],
        ...['2026-03-02 10:00:00', '2026-03-02', '2026-03-02', '2026-03-01', 3600],
        // LCIC's, with the teacher; and of students alone: hands 5 + 1, rewards 2 + 1 + 1, answers 8 + 4 + 2.
        ...[11, 11, 112, 57, 6, 4, 14, archivedAt, archivedAt],
      ],
    ])
  })

  test('dim_room, dim_member and dim_date', async () => {
    const { rows } = await sql`select * from analytics.dim_room where room_id = 101`.execute(database.db)
    expect(rows).toEqual([
      {
        ...{ room_id: 101n, sdk_app_id: 1n, room_name: 'Worked class', course: 'Worked class', teacher_id: 'teacher' },
        ...{ room_type: 0, room_type_label: 'small class', scheduled_start_at: S, scheduled_end_at: E },
        ...{ started_at: S, started_at_local: '2026-03-02 09:00:00' },
        ...{ ended_at: E, ended_at_local: '2026-03-02 10:00:00' },
        ...{ start_date: '2026-03-02', week_start: '2026-03-02', month_start: '2026-03-01', length_seconds: 3600n },
        ...{ roster_known: true, records: 12, peak_members: 11, online_members: 11, message_count: 112, mic_count: 57 },
        ...{ erased_members: 0, members_pruned_at: null, revision: 1, archived_at: archivedAt, changed_at: archivedAt },
      },
    ])
    expect(
      await ask(`
        select user_id, role, role_label, rooms, courses, first_room_at, last_room_at, last_device, last_device_label
        from analytics.dim_member where sdk_app_id = 1 order by user_id`),
    ).toEqual([
      ['assistant', 2, 'assistant', 1, 1, T, T, 4, 'iOS'],
      ['s01', 0, 'student', 7, 7, T, S, 5, 'web'],
      ['s02', 0, 'student', 3, 3, T, S, 4, 'iOS'],
      ['s03', 0, 'student', 2, 2, T, S, 4, 'iOS'],
      ...['s04', 's05', 's06', 's07', 's08'].map((user) => [user, 0, 'student', 1, 1, S, S, 4, 'iOS']),
      ['s09', 0, 'student', 2, 2, T, S, 0, 'unknown'],
      ...['s10', 's11'].map((user) => [user, 0, 'student', 1, 1, S, S, 4, 'iOS']),
      ['supervisor', 3, 'supervisor', 1, 1, T, T, 4, 'iOS'],
      ['teacher', 1, 'teacher', 3, 3, T, S, 1, 'Windows'],
    ])
    expect(
      await ask(`
        select * from analytics.dim_date where date in ('2024-11-15', '2024-12-30', '2025-01-04', '2026-03-02') order by 1`),
    ).toEqual([
      ['2024-11-15', 2024, 4, 11, '2024-11-01', 2024, 46, '2024-11-11', 5, 'Friday', false],
      // The Monday of the first week of 2025, by ISO 8601.
      ['2024-12-30', 2024, 4, 12, '2024-12-01', 2025, 1, '2024-12-30', 1, 'Monday', false],
      ['2025-01-04', 2025, 1, 1, '2025-01-01', 2025, 1, '2024-12-30', 6, 'Saturday', true],
      ['2026-03-02', 2026, 1, 3, '2026-03-01', 2026, 10, '2026-03-02', 1, 'Monday', false],
    ])
    expect(
      await ask('select min(date), count(*) = max(date) - min(date) + 1 as is_whole from analytics.dim_date'),
    ).toEqual([['2024-11-15', true]])
  })

  test('fact_concurrency: who was there after each join and quit', async () => {
    expect(
      await ask(`
        select extract(epoch from at - '2026-03-02T01:00:00Z')::int, members, students
        from analytics.fact_concurrency where room_id = 101 order by at`),
    ).toEqual([
      [-600, 1, 0], // the teacher
      [-120, 2, 1], // s02
      [-100, 3, 2], // s07
      [0, 6, 5], // s01, s05, s06
      [200, 7, 6], // s11
      [300, 8, 7], // s03
      [301, 9, 8], // s04
      [600, 10, 9], // s10
      [1000, 11, 10], // s08
      [2799, 10, 9], // s08 leaves
      [3000, 9, 8], // s10
      [3299, 8, 7], // s05
      [3300, 7, 6], // s06
      [3600, 4, 3], // s01, s03, s04
      [3630, 3, 2], // s11
      [3660, 2, 2], // the teacher
      [3690, 1, 1], // s02
      [3700, 0, 0], // s07
    ])
    expect(await ask('select * from analytics.fact_concurrency where room_id = 105 order by at')).toEqual([
      [105, 1, 'Staff', '2026-02-23', T, '2026-02-23 09:00:00', 3, 0],
      [105, 1, 'Staff', '2026-02-23', later(T, 60), '2026-02-23 09:01:00', 2, 0],
      [105, 1, 'Staff', '2026-02-23', later(T, 3600), '2026-02-23 10:00:00', 0, 0],
    ])
    // Who comes and goes in one moment was not there; who quit before joining is a finding, and no visit.
    expect(
      await ask(
        'select room_id, members from analytics.fact_concurrency where room_id in (104, 503) order by room_id, at',
      ),
    ).toEqual([
      [104, 0],
      [503, 1],
      [503, 0],
    ])
  })

  test('agg_course_week: a course by weeks', async () => {
    expect(
      await ask(`
        select week_start, sessions, students, expected, joined, attended, no_show, late, left_early, attendance_rate,
          average_present_ratio, average_engagement, messages, hours
        from analytics.agg_course_week where sdk_app_id = 2 and course = 'Physics' order by 1`),
    ).toEqual(
      weeks.map(([start, sessions, students, expected, joined, attended, noShow, shares]) =>
        rounded([
          ...[start, sessions, students, expected, joined, attended, noShow, 0, 0],
          // Of the class without length nothing is known.
          ...(shares === null ? [null, null, 0, 0, 0] : [attended / expected, shares / expected, 0, 0, sessions]),
        ]),
      ),
    )
    expect(
      await ask(`
        select sessions, students, expected, joined, attended, no_show, late, left_early, attendance_rate,
          average_present_ratio, average_engagement, messages, hours
        from analytics.agg_course_week where course = 'Worked class'`),
      // Students' messages alone.
    ).toEqual([rounded([1, 11, 11, 10, 8, 1, 3, 3, 8 / 11, 27_397 / 3600 / 11, 1.78, 22, 1])])
    // Without a roster there is no rate, for the course neither.
    expect(
      await ask(`
        select course, expected, attended, no_show, attendance_rate from analytics.agg_course_week
        where course in ('No roster', 'Staff') order by 1`),
    ).toEqual([
      ['No roster', 2, 1, 0, null],
      ['Staff', 0, 0, 0, null],
    ])
  })

  test('agg_student_course: who is at risk, at and around each threshold', async () => {
    expect(
      await ask(`
        select user_id, sessions, attended, missed, no_show, late, left_early, absence_rate, average_present_ratio, trend,
          last_missed, risk_level, risk_reasons
        from analytics.agg_student_course where sdk_app_id = 2 order by user_id`),
    ).toEqual(
      students
        .map(([, user, sessions, attended, noShow, shares, trend, lastMissed, risk, reasons]) =>
          rounded([
            ...[user, sessions, attended, sessions - attended, noShow, 0, 0, (sessions - attended) / sessions],
            ...[shares / sessions, trend, lastMissed, risk, reasons],
          ]),
        )
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    )
    expect(
      await ask(`
        select course, first_session_at, last_session_at, risk_level_label from analytics.agg_student_course
        where user_id in ('eleventh', 'tenth', 'quarter', 'three') order by user_id`),
    ).toEqual([
      ['Physics', shanghai('2026-01-15', '09:00:00'), shanghai('2026-01-25', '09:00:00'), 'no risk'],
      ['Physics', shanghai('2026-01-18', '09:00:00'), shanghai('2026-01-25', '09:00:00'), 'high risk'],
      // Not the day after: the class without length is none of them.
      ['Physics', shanghai('2026-01-16', '09:00:00'), shanghai('2026-01-25', '09:00:00'), 'at risk'],
      ['Physics', shanghai('2026-01-23', '09:00:00'), shanghai('2026-01-25', '09:00:00'), null],
    ])
    // Flags count, whatever the status; the staff are no students.
    expect(
      await ask(`
        select user_id, sessions, attended, missed, late, left_early, last_missed from analytics.agg_student_course
        where course = 'Worked class' and (late > 0 or left_early > 0) order by 1`),
    ).toEqual([
      ['s04', 1, 1, 0, 1, 0, 0],
      ['s05', 1, 1, 0, 0, 1, 0],
      ['s08', 1, 0, 1, 1, 1, 1],
      ['s10', 1, 1, 0, 1, 1, 0],
    ])
    expect(
      await ask("select count(*) from analytics.agg_student_course where user_id in ('teacher', 'assistant', 'gone')"),
    ).toEqual([[0]])
  })

  test('retention_cohort: months since the first class', async () => {
    expect(
      await ask(`
        select cohort_month, month_number, students, retained, retention_rate from analytics.retention_cohort
        where sdk_app_id = 3 order by 1, 2`),
    ).toEqual(
      rounded([
        ['2024-11-01', 0, 3, 3, 1],
        ['2024-11-01', 1, 3, 1, 1 / 3], // r1
        ['2024-11-01', 2, 3, 2, 2 / 3], // r1, r2
        ['2024-11-01', 3, 3, 1, 1 / 3], // r1
        ['2024-12-01', 0, 2, 2, 1],
        ['2024-12-01', 1, 2, 1, 1 / 2], // r5
        ['2024-12-01', 2, 2, 0, 0],
        ['2025-01-01', 0, 1, 1, 1],
        ['2025-01-01', 1, 1, 0, 0],
      ]),
    )
    // s01 and s02 came in February and again in March; s09 never did; staff do not count.
    expect(
      await ask(`
        select cohort_month, month_number, students, retained from analytics.retention_cohort
        where sdk_app_id = 1 order by 1, 2`),
    ).toEqual([
      ['2026-02-01', 0, 2, 2],
      ['2026-02-01', 1, 2, 2],
      ['2026-03-01', 0, 8, 8],
    ])
  })

  test('mix_device_region: small groups are not told apart', async () => {
    expect(
      await ask(`
        select week_start, region, region_label, device, device_label, members, share
        from analytics.mix_device_region where sdk_app_id = 4 order by region, device`),
    ).toEqual(
      rounded([
        ['2026-04-13', 'CN-GD', 'Guangdong', 1, 'Windows', 3, 3 / 21],
        ['2026-04-13', 'CN-GD', 'Guangdong', 4, 'iOS', 2, 2 / 21],
        ['2026-04-13', 'elsewhere', 'elsewhere', 4, 'iOS', 5, 5 / 21],
        ['2026-04-13', 'other', 'other regions', 4, 'iOS', 4, 4 / 21],
        ['2026-04-13', 'unknown', 'unknown', 1, 'Windows', 1, 1 / 21],
        ['2026-04-13', 'unknown', 'unknown', 3, 'Android', 6, 6 / 21],
      ]),
    )
  })

  test('data_quality: each thing that does not fit, and nothing else', async () => {
    const [join, quit] = [1000, 900].map(
      (seconds) => later(shanghai('2026-04-20', '09:00:00'), seconds).getTime() / 1000,
    )
    expect(
      await ask(`
        select room_id, start_date, user_id, finding, severity, lcic_value, archive_value
        from analytics.data_quality where sdk_app_id = 5 order by 1, finding`),
    ).toEqual([
      [501, '2026-04-20', null, 'peak_above_sweep', 'contradiction', 3, 2],
      [502, '2026-04-20', null, 'peak_below_sweep', 'notice', 1, 2],
      [503, '2026-04-20', 'q3', 'quit_before_join', 'contradiction', quit, join],
      [504, '2026-04-20', 'q3', 'present_longer_than_class', 'notice', 3700, 3600],
      [505, '2026-04-20', 'q3', 'present_longer_than_visit', 'contradiction', 1001, 1000],
      [506, '2026-04-20', null, 'records_disagree', 'contradiction', 3, 2],
      [507, '2026-04-20', null, 'online_disagrees', 'notice', 3, 2],
      [508, '2026-04-20', null, 'messages_disagree', 'notice', 5, 3],
      [509, '2026-04-20', null, 'mics_disagree', 'notice', 1, 2],
    ])
    expect(
      await ask('select count(*) from analytics.data_quality where finding_label is null or explanation is null'),
    ).toEqual([[0]])
  })

  test('data_freshness and archive_completeness', async () => {
    const { db } = database
    const now = new Date()
    const ago = (seconds: number) => later(now, -seconds)
    const [april, may] = [shanghai('2026-04-30', '10:00:00'), new Date('2026-04-30T16:30:00Z')]
    // Archived 10, 20, 30, 40 s after their ends, an hour ago; and one two days ago, which says nothing of today.
    const lags = [10, 20, 30, 40].map((lag) => ({ archived_at: ago(3600), real_end_at: ago(3600 + lag) }))
    const rooms = [...lags, { archived_at: ago(172_800), real_end_at: ago(180_000) }]
    const job = { sdk_app_id: 6, attempts: 0, hinted_by: 'sweep', deadline_at: later(now, 86_400) }
    const past = { created_at: april, updated_at: april, waits: false }
    await db
      .transaction()
      .execute(async (tx) => {
        await insertRooms(
          tx,
          rooms.map((times, index) => ({
            room: { room_id: 601 + index, sdk_app_id: 6, real_start_at: times.real_end_at, changed_at: now, ...times },
            members: [],
          })),
        )
        await insertRows(tx, 'sweeps', [
          {
            sdk_app_id: 6,
            swept_from: april,
            swept_until: ago(60),
            started_at: ago(70),
            finished_at: ago(50),
            rooms: 9,
          },
        ])
        await insertRows(tx, 'jobs', [
          { ...job, ...past, room_id: 611, state: 'archived', ended_at: april },
          { ...job, ...past, room_id: 612, state: 'expired', ended_at: april },
          // After midnight in Shanghai.
          { ...job, ...past, room_id: 621, state: 'archived', ended_at: may },
          { ...job, ...past, room_id: 622, state: 'missing', ended_at: may },
          { ...job, ...past, room_id: 623, state: 'failed', ended_at: may, deadline_at: ago(60) },
          { ...job, ...past, room_id: 624, state: 'pending', ended_at: may, due_at: ago(120), deadline_at: ago(60) },
          { ...job, ...past, room_id: 625, state: 'pending', ended_at: may, due_at: later(now, 600), waits: true },
          // Planned: it waits for its end.
          { ...job, ...past, room_id: 631, state: 'pending', ended_at: null, due_at: later(now, 600), waits: true },
        ])
        await insertRows(tx, 'known_rooms', [
          { room_id: 611, sdk_app_id: 6, status: 2, real_end_at: april, changed_at: april },
          { room_id: 626, sdk_app_id: 6, status: 2, real_end_at: may, changed_at: may },
          { room_id: 631, sdk_app_id: 6, status: 0, scheduled_end_at: later(now, 600), changed_at: april },
        ])
        expect(
          await ask(
            `select last_room_ended_at, last_archived_at, swept_from, swept_until, last_sweep_finished_at, waiting_rooms,
            oldest_due_at, lag_seconds_p50, lag_seconds_p95
          from analytics.data_freshness where sdk_app_id = 6`,
            tx,
          ),
          // Of four values the 95th part of a hundred lies 0.85 of the way from the third to the fourth.
        ).toEqual([[ago(3610), ago(3600), april, ago(60), ago(50), 2, ago(120), 25, 38.5]])
        expect(
          await ask(
            `select end_date, ended, archived, waiting, expired, missing, failed, without_job, passed_deadline, is_complete
          from analytics.archive_completeness where sdk_app_id = 6 order by 1`,
            tx,
          ),
        ).toEqual([
          ['2026-04-30', 2, 1, 0, 1, 0, 0, 0, 0, true],
          ['2026-05-01', 6, 1, 2, 0, 1, 1, 1, 2, false],
        ])
        throw new Error('enough')
      })
      .catch((error: Error) => expect(error.message).toBe('enough'))
  })

  test('analytics_pii: names, addresses and places, and nowhere else', async () => {
    expect(
      await ask(`
        select user_id, user_name, last_room_at from analytics_pii.member
        where sdk_app_id = 1 and user_id in ('s01', 's02', 'gone') order by 1`),
    ).toEqual([
      // The newest name.
      ['s01', '林晓雨 🎓', S],
      ['s02', 'Name of s02', S],
    ])
    expect(await ask("select * from analytics_pii.attendance where room_id = 101 and user_id = 's01'")).toEqual([
      [101, 's01', 1, '2026-03-02', '林晓雨 🎓', '192.0.2.1', '广东省深圳市'],
    ])
  })

  /** What a change would do, taken back at once. */
  async function trying(change: string, question: string): Promise<unknown[][]> {
    let seen: unknown[][] = []
    await database.db
      .transaction()
      .execute(async (tx) => {
        await sql.raw(change).execute(tx)
        seen = await ask(question, tx)
        throw new Error('taken back')
      })
      .catch((error: Error) => expect(error.message).toBe('taken back'))
    return seen
  }

  test('settings: what counts as late, attended or at risk is there to be changed, and counts at once', async () => {
    const { rows } = await sql`select * from analytics.settings`.execute(database.db)
    expect(
      rows.map((row) => Object.fromEntries(Object.entries(row as object).map(([k, v]) => [k, String(v)]))),
    ).toEqual([
      {
        ...{
          time_zone: 'Asia/Shanghai',
          late_after_seconds: '300',
          early_before_seconds: '300',
          attended_ratio: '0.5',
        },
        ...{
          risk_sessions: '4',
          risk_absence: '0.10',
          high_risk_absence: '0.25',
          risk_missed: '2',
          risk_trend: '-0.2',
        },
        ...{ trend_sessions: '4', smallest_group: '5' },
      },
    ])
    const statusOf = (user: string) =>
      `select attendance_status from analytics.fact_attendance where room_id = 101 and user_id = '${user}'`
    const riskOf = (user: string) =>
      `select risk_level, risk_reasons from analytics.agg_student_course where sdk_app_id = 2 and user_id = '${user}'`
    const cases: readonly (readonly [setting: string, question: string, ...answer: unknown[]])[] = [
      ['late_after_seconds = 299', statusOf('s03'), 'late'],
      ['late_after_seconds = 301', statusOf('s04'), 'present'],
      ['early_before_seconds = 299', statusOf('s06'), 'left_early'],
      ['attended_ratio = 0.51', statusOf('s07'), 'partial'],
      ['risk_sessions = 5', riskOf('four'), null, []],
      ['risk_sessions = 3', riskOf('three'), 'high', ['absence', 'missed_last']],
      ['risk_absence = 0.09', riskOf('eleventh'), 'at_risk', ['absence']],
      ['risk_absence = 0.11', riskOf('tenth'), 'none', []],
      ['high_risk_absence = 0.26', riskOf('quarter'), 'at_risk', ['absence']],
      ['risk_missed = 3', riskOf('last two'), 'none', []],
      ['risk_trend = -0.21', riskOf('falling'), 'none', []],
      // The last two beside the two before: (.8 + .8) − (.8 + .8).
      ['trend_sessions = 2', riskOf('falling'), 'none', []],
      [
        'smallest_group = 6',
        "select count(*), sum(members)::int from analytics.mix_device_region where sdk_app_id = 4 and region = 'other'",
        // On Windows three of Guangdong; on iOS two of there, the five from abroad, and four of Zhejiang.
        2,
        14,
      ],
      [
        'smallest_group = 4',
        "select region_label, members from analytics.mix_device_region where sdk_app_id = 4 and region = 'CN-ZJ'",
        'Zhejiang',
        4,
      ],
    ]
    for (const [setting, question, ...answer] of cases)
      expect([setting, ...(await trying(`update archive.settings set ${setting}`, question))]).toEqual([
        setting,
        answer,
      ])
  })

  test('time zone: a class at 23:30 UTC is one of the next day in Shanghai, until the archive is told otherwise', async () => {
    const question = `
      select start_date, week_start, month_start, started_at, started_at_local, ended_at_local, first_join_at_local
      from analytics.fact_room_session
      join analytics.fact_attendance using (room_id, start_date, week_start, month_start, started_at)
      where room_id = 801 and user_id = 'l1'`
    const start = new Date('2026-03-31T23:30:00Z')
    expect(await ask(question)).toEqual([
      [
        ...['2026-04-01', '2026-03-30', '2026-04-01', start],
        ...['2026-04-01 07:30:00', '2026-04-01 08:30:00', '2026-04-01 07:30:00'],
      ],
    ])
    expect(await trying("update archive.settings set time_zone = 'UTC'", question)).toEqual([
      [
        ...['2026-03-31', '2026-03-30', '2026-03-01', start],
        ...['2026-03-31 23:30:00', '2026-04-01 00:30:00', '2026-03-31 23:30:00'],
      ],
    ])
  })

  test('courses: by group, teacher or name, the first rule that applies; else the name less its lesson', async () => {
    const courses = `
      select room_id, course from analytics.dim_room where room_id in (101, 103, 109, 201, 801, 802) order by 1`
    const byName = [
      [101, 'Worked class'],
      [103, 'Group'],
      [109, '(no name)'],
      [201, 'Physics'],
      [801, 'Algebra'],
      [802, 'Algebra'],
    ]
    expect(await ask(courses)).toEqual(byName)
    const rules = `
      insert into archive.course_rules (priority, sdk_app_id, "by", pattern, course) values
        (30, null, 'name', '^(Gro).*$', 'Name \\1'),
        (20, null, 'teacher', 'teacher', 'Of the teacher'),
        (10, null, 'group', 'physics-1', 'Physics for eighth-graders'),
        (15, 8, 'group', null, null)`
    const byRule = [
      [101, 'Of the teacher'],
      [103, 'Name Gro'],
      [109, '(no name)'],
      [201, 'Physics for eighth-graders'],
      // The group that most of the students are of; only in this app.
      [801, 'g-b'],
      // No group: no rule applies.
      [802, 'Algebra'],
    ]
    expect(await trying(rules, courses)).toEqual(byRule)
    expect(await trying(`${rules}; delete from archive.course_rules`, courses)).toEqual(byName)
    // And everything that is counted by course follows.
    expect(
      await trying(
        rules,
        "select sum(sessions)::int from analytics.agg_course_week where course = 'Physics for eighth-graders'",
      ),
    ).toEqual([[22]])
    expect(
      await trying(
        rules,
        'select sdk_app_id, "by", pattern, course from analytics.course_rules order by priority limit 1',
      ),
    ).toEqual([[null, 'group', 'physics-1', 'Physics for eighth-graders']])
  })

  test('a rule that is made while a room is being written holds for that room, too', async () => {
    const { db } = database
    const rule =
      "insert into archive.course_rules (sdk_app_id, \"by\", pattern, course) values (9, 'name', '^', 'New ')"
    let ruling: Promise<unknown> = Promise.resolve()
    await db.transaction().execute(async (tx) => {
      await insertRooms(tx, [{ room: { room_id: 901, sdk_app_id: 9, name: 'Course' }, members: [] }])
      let isDone = false
      ruling = ask(rule).finally(() => {
        isDone = true
      })
      const isWaiting =
        'select 1 from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())'
      while (!isDone && (await ask(isWaiting)).length === 0) await new Promise(setImmediate)
    })
    await ruling
    expect(await ask('select course from archive.rooms where room_id = 901')).toEqual([['New Course']])
    await ask('delete from archive.course_rules')
  })
})

/** As it is compared: ids and sums as numbers, numbers to nine places. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'number') return Number(value.toFixed(9)) + 0
  return value
}

function rounded<Value>(value: Value): Value {
  return (Array.isArray(value) ? value.map(rounded) : plain(value)) as Value
}
