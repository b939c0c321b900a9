import { pseudonym } from '../../lib/lcic/redact-text'
import { type ArchivedRoom, later, type Row, shanghai } from './rows'

/** A student who came, from so many seconds after the start to so many after it. */
function visit(start: Date, user_id: string, [join, quit]: readonly [number, number], more: Row = {}): Row {
  return {
    ...{ user_id, user_name: `Name of ${user_id}`, role: 0, current_state: 2, present_seconds: quit - join },
    ...{ first_join_at: later(start, join), last_quit_at: later(start, quit) },
    ...more,
  }
}

function hourFrom(start: Date, room: Row, members: readonly Row[]): ArchivedRoom {
  return { room: { ...room, real_start_at: start, real_end_at: later(start, 3600) }, members }
}

/**
 * One class in each of four months, by who came. r4 was listed in November and did not come: its first month is December.
 * Nobody of December came in February, and s6 came in January alone.
 */
export const monthlyRooms: readonly ArchivedRoom[] = [
  ['2024-11-15', ['r1', 'r2', 'r3'], ['r4']],
  ['2024-12-30', ['r1', 'r4', 'r5'], []],
  ['2025-01-15', ['r1', 'r2', 'r5', 'r6'], []],
  ['2025-02-15', ['r1'], []],
].map(([date, came, absent], index) => {
  const start = shanghai(String(date), '09:00:00')
  return hourFrom(start, { room_id: 301 + index, sdk_app_id: 3, name: 'Monthly' }, [
    ...[...(came ?? [])].map((user) => visit(start, user, [0, 3600])),
    ...[...(absent ?? [])].map((user_id) => ({ user_id, role: 0, current_state: 0 })),
  ])
})

const thursday = shanghai('2026-04-16', '19:00:00')

const personalData = { mode: 'pseudonymise', pseudonymKey: 'of these rooms alone' } as const

/**
 * Twenty students and a teacher. Guangdong has five, just enough to be told, as have all places abroad; Zhejiang has four:
 * too few. Who did not come counts nowhere.
 */
export const mixedRoom = hourFrom(thursday, { room_id: 401, sdk_app_id: 4, name: 'Mixed' }, [
  ...people('windows', 3, { device: 1, location: '广东省深圳市' }),
  ...people('ios', 2, { device: 4, location: '广东省广州市' }),
  ...people('hangzhou', 3, { device: 4, location: '浙江省杭州市' }),
  ...people('ningbo', 1, { device: 4, location: '中国浙江省宁波市' }),
  ...people('tokyo', 5, { device: 4, location: 'Tokyo' }),
  ...people('nowhere', 5, { device: 3, location: '' }),
  ...people('pseudonym', 1, { device: 3, location: pseudonym(personalData, 'location', '广东省深圳市') }),
  ...people('teacher', 1, { device: 1, location: null, role: 1 }),
  { user_id: 'absent', role: 0, current_state: 0, device: 0, location: '广东省深圳市' },
])

function people(name: string, count: number, more: Row): Row[] {
  return Array.from({ length: count }, (_, index) => visit(thursday, `${name} ${index + 1}`, [0, 3600], more))
}

const doubtful = shanghai('2026-04-20', '09:00:00')
const q1 = visit(doubtful, 'q1', [0, 3600])
const q2 = visit(doubtful, 'q2', [0, 3600])

function doubtfulRoom(room_id: number, room: Row, members: readonly Row[] = [q1, q2]): ArchivedRoom {
  return hourFrom(doubtful, { room_id, sdk_app_id: 5, name: 'Doubtful', ...room }, members)
}

/** Two members from the start to the end, and in each room one thing that does not fit: from 510 on nothing. */
export const doubtfulRooms: readonly ArchivedRoom[] = [
  doubtfulRoom(501, { peak_member_number: 3 }),
  doubtfulRoom(502, { peak_member_number: 1 }),
  doubtfulRoom(503, {}, [q1, visit(doubtful, 'q3', [1000, 900], { present_seconds: 0 })]),
  doubtfulRoom(504, {}, [q1, visit(doubtful, 'q3', [-100, 3700], { present_seconds: 3700 })]),
  doubtfulRoom(505, {}, [q1, visit(doubtful, 'q3', [0, 1000], { present_seconds: 1001 })]),
  doubtfulRoom(506, { total: 3 }),
  doubtfulRoom(507, { member_number: 3 }),
  doubtfulRoom(508, { message_count: 5 }, [{ ...q1, message_count: 3 }, q2]),
  doubtfulRoom(509, { mic_count: 1 }, [{ ...q1, mic_count: 2 }, q2]),
  doubtfulRoom(510, { peak_member_number: 2, member_number: 2, message_count: 0, mic_count: 0 }, [
    { ...q1, message_count: 0, mic_count: 0 },
    q2,
  ]),
  // One was erased, another listed twice, all deleted: the numbers LCIC gave were right.
  doubtfulRoom(511, { total: 3, erased: 1, peak_member_number: 3, member_number: 3, message_count: 9 }),
  doubtfulRoom(512, { total: 3 }),
  doubtfulRoom(513, { total: 30, members_pruned_at: later(doubtful, 86_400), member_number: 30 }, []),
]

/** The record that LCIC listed twice in room 512. */
export const duplicateRun: Row = {
  ...{ room_id: 512, attempt: 1, started_at: doubtful, finished_at: doubtful, outcome: 'archived' },
  duplicates: 1,
}

const coded = shanghai('2026-04-21', '09:00:00')

/** Every code there is. */
export const codedRoom = hourFrom(
  coded,
  { room_id: 701, sdk_app_id: 7, name: 'Coded' },
  Array.from({ length: 8 }, (_, code) =>
    visit(coded, `c${code}`, [0, 3600], { device: code, current_state: Math.min(code, 5), role: Math.min(code, 3) }),
  ),
)

/** Half past eleven in the evening by UTC, on the last of March: the morning of the first of April in Shanghai. */
const late = new Date('2026-03-31T23:30:00Z')
export const lateRoom = hourFrom(late, { room_id: 801, sdk_app_id: 8, name: 'Algebra 第3讲', teacher_id: 'noether' }, [
  visit(late, 'l1', [0, 3600], { group_id: 'g-a' }),
  visit(late, 'l2', [0, 3600], { group_id: 'g-b' }),
  visit(late, 'l3', [0, 3600], { group_id: 'g-b' }),
])
export const nextRoom = hourFrom(later(late, 86_400), { room_id: 802, sdk_app_id: 8, name: 'Algebra (Lesson 4)' }, [
  visit(later(late, 86_400), 'l1', [0, 3600]),
])
