import { type ArchivedRoom, later, type Row, shanghai } from './rows'

/** What fact_attendance says of a member, the columns that are worked out. */
export interface Measures {
  readonly joined: boolean | null
  readonly present_ratio: number | null
  readonly late_seconds: number | null
  readonly is_late: boolean | null
  readonly early_seconds: number | null
  readonly left_early: boolean | null
  readonly away_seconds: number | null
  readonly no_show: boolean | null
  readonly attended: boolean | null
  readonly attendance_status: string | null
  readonly engagement_score: number | null
}

/** A member, and what was worked out for it by hand. */
export interface WorkedMember {
  readonly record: Row
  readonly measures: Measures
}

/** Monday 2 March 2026, nine to ten in Shanghai: one to two in UTC. */
export const S = shanghai('2026-03-02', '09:00:00')
export const E = shanghai('2026-03-02', '10:00:00')

/** There from the first second to the last, and nothing else. */
const there: Measures = {
  joined: true,
  present_ratio: 1,
  late_seconds: 0,
  is_late: false,
  early_seconds: 0,
  left_early: false,
  away_seconds: 0,
  no_show: false,
  attended: true,
  attendance_status: 'present',
  engagement_score: 0,
}

/** Never came: 0 of the class, and no moment from which to be late, early or away. */
const absence: Measures = {
  ...there,
  joined: false,
  present_ratio: 0,
  late_seconds: null,
  is_late: null,
  early_seconds: null,
  left_early: null,
  away_seconds: null,
  no_show: true,
  attended: false,
  attendance_status: 'no_show',
}

/** Staff are listed, and not measured. */
const unmeasured: Measures = {
  joined: null,
  present_ratio: null,
  late_seconds: null,
  is_late: null,
  early_seconds: null,
  left_early: null,
  away_seconds: null,
  no_show: null,
  attended: null,
  attendance_status: null,
  engagement_score: null,
}

const none = { answer_questions: 0, hand_ups: 0, rewards: 0, mic_count: 0, message_count: 0 }

/** Joined so many seconds after the start, left for good so many after it, was online for so many. */
type Visit = readonly [join: number, quit: number, present: number]

function came(userId: string, [join, quit, present]: Visit, more: Row = {}, start = S): Row {
  return {
    user_id: userId,
    user_name: `Name of ${userId}`,
    role: 0,
    device: 4,
    current_state: 2,
    first_join_at: later(start, join),
    last_quit_at: later(start, quit),
    present_seconds: present,
    ...none,
    ...more,
  }
}

/** LCIC's record of somebody who was to come, and did not. */
function absent(userId: string, more: Row = {}): Row {
  return {
    user_id: userId,
    user_name: `Name of ${userId}`,
    role: 0,
    device: 0,
    current_state: 0,
    present_seconds: 0,
    ...none,
    ...more,
  }
}

/**
 * D = 3600. Nobody has a group: that there is a roster is seen by the one who is absent. Most on the microphone 4, messages
 * 10, hands 5, rewards 2, answers 8: what the teacher did counts for nobody's score.
 */
export const worked: readonly WorkedMember[] = [
  {
    // Teacher: early, over time, and with more messages than anyone.
    record: came('teacher', [-600, 3660, 4260], { role: 1, device: 1, mic_count: 50, message_count: 90 }),
    measures: { ...unmeasured, joined: true },
  },
  {
    // The most in everything: 5 × 2.
    record: came('s01', [0, 3600, 3600], {
      user_name: '林晓雨 🎓',
      device: 5,
      group_id: '',
      camera: 1,
      mic: 1,
      silence: 0,
      stage: 1,
      ip_address: '192.0.2.1',
      location: '广东省深圳市',
      mic_count: 4,
      message_count: 10,
      hand_ups: 5,
      rewards: 2,
      answer_questions: 8,
    }),
    measures: { ...there, engagement_score: 10 },
  },
  {
    // Before the start, after the end, 3810 s online: no more than the class counts. 2·2/4 + 2·5/10 + 2·0/5 + 2·1/2 + 2·4/8.
    record: came('s02', [-120, 3690, 3810], { mic_count: 2, message_count: 5, rewards: 1, answer_questions: 4 }),
    measures: { ...there, engagement_score: 4 },
  },
  {
    // Late are those who come more than 300 s after the start: not yet. 2·1/4.
    record: came('s03', [300, 3600, 3300], { mic_count: 1 }),
    measures: { ...there, present_ratio: 3300 / 3600, late_seconds: 300, engagement_score: 0.5 },
  },
  {
    // 301 s: late. 2·2/10.
    record: came('s04', [301, 3600, 3299], { message_count: 2 }),
    measures: {
      ...there,
      present_ratio: 3299 / 3600,
      late_seconds: 301,
      is_late: true,
      attendance_status: 'late',
      engagement_score: 0.4,
    },
  },
  {
    // Kicked 301 s before the end: left early. 2·1/5.
    record: came('s05', [0, 3299, 3299], { hand_ups: 1, current_state: 3 }),
    measures: {
      ...there,
      present_ratio: 3299 / 3600,
      early_seconds: 301,
      left_early: true,
      attendance_status: 'left_early',
      engagement_score: 0.4,
    },
  },
  {
    // 300 s before the end is not early. 2·1/2.
    record: came('s06', [0, 3300, 3300], { rewards: 1, current_state: 4 }),
    measures: { ...there, present_ratio: 3300 / 3600, early_seconds: 300, engagement_score: 1 },
  },
  {
    // Half of it exactly is attended; away the other half: what lies before the start and after the end is no part of it. 2·2/8.
    record: came('s07', [-100, 3700, 1800], { answer_questions: 2, current_state: 5 }),
    measures: { ...there, present_ratio: 0.5, away_seconds: 1800, engagement_score: 0.5 },
  },
  {
    // A second less than half, late and left early: partial comes first, the flags stay. From 1000 to 2799, all of it there.
    record: came('s08', [1000, 2799, 1799]),
    measures: {
      ...there,
      present_ratio: 1799 / 3600,
      late_seconds: 1000,
      is_late: true,
      early_seconds: 801,
      left_early: true,
      attended: false,
      attendance_status: 'partial',
    },
  },
  {
    // State 0, and never joined.
    record: absent('s09'),
    measures: absence,
  },
  {
    // Late and left early: late comes first. 2·5/10.
    record: came('s10', [600, 3000, 2400], { message_count: 5 }),
    measures: {
      ...there,
      present_ratio: 2400 / 3600,
      late_seconds: 600,
      is_late: true,
      early_seconds: 600,
      left_early: true,
      attendance_status: 'late',
      engagement_score: 1,
    },
  },
  {
    // In time and to the end, yet seldom there: partial. From 200 to the end are 3400 s, of which 1000 there.
    record: came('s11', [200, 3630, 1000]),
    measures: {
      ...there,
      present_ratio: 1000 / 3600,
      late_seconds: 200,
      away_seconds: 2400,
      attended: false,
      attendance_status: 'partial',
    },
  },
]

const app = { sdk_app_id: 1 }

/** 10 + 5 + 2 + 5 messages of students, 90 of the teacher; 4 + 2 + 1 on the microphone and 50. Eleven at once: see below. */
export const workedRoom: Row = {
  ...app,
  real_start_at: S,
  real_end_at: E,
  room_id: 101,
  name: 'Worked class',
  teacher_id: 'teacher',
  room_type: 0,
  scheduled_start_at: S,
  scheduled_end_at: E,
  peak_member_number: 11,
  member_number: 11,
  message_count: 112,
  mic_count: 57,
}

/** A week earlier, at the same hour; in February. */
const T = shanghai('2026-02-23', '09:00:00')
const hour = { ...app, real_start_at: T, real_end_at: later(T, 3600) }

function tiny(userId: string, visit: Visit = [0, 3600, 3600], more: Row = {}): Row {
  return came(userId, visit, more, T)
}

/** Further rooms of a few members: those whose measures matter, with them. */
export const tinyRooms: readonly { readonly room: Row; readonly members: readonly WorkedMember[] }[] = [
  {
    // No roster: all came, nobody has a group. Who did not come is nowhere said.
    room: { ...hour, room_id: 102, name: 'No roster', peak_member_number: 2, message_count: 0, mic_count: 0 },
    members: [
      { record: tiny('s01'), measures: { ...there, no_show: null } },
      {
        record: tiny('s02', [0, 900, 900]),
        measures: {
          ...there,
          no_show: null,
          present_ratio: 0.25,
          early_seconds: 2700,
          left_early: true,
          attended: false,
          attendance_status: 'partial',
        },
      },
    ],
  },
  {
    // A group is a roster, even if all came.
    room: { ...hour, room_id: 103, name: 'Group', room_type: 1 },
    members: [{ record: tiny('s01', [0, 3600, 3600], { group_id: 'g1', sub_group_ids: ['a', 'b'] }), measures: there }],
  },
  {
    // D = 0: no share of nothing. Who was there at all counts as present.
    room: { ...app, room_id: 104, name: 'Zero', real_start_at: T, real_end_at: T },
    members: [
      {
        record: tiny('s01', [0, 0, 0], { group_id: 'g1' }),
        measures: { ...there, present_ratio: null, attended: null },
      },
      {
        // Nobody can attend a class without length, so nobody can miss it; but it is known that this one did not come.
        record: absent('s09', { group_id: 'g1' }),
        measures: { ...absence, present_ratio: null, attended: null },
      },
    ],
  },
  {
    // Staff only: nobody to measure.
    room: { ...hour, room_id: 105, name: 'Staff', room_type: 3, peak_member_number: 3, message_count: 7, mic_count: 2 },
    members: [
      {
        record: tiny('teacher', [0, 3600, 3600], { role: 1, message_count: 7 }),
        measures: { ...unmeasured, joined: true },
      },
      {
        record: tiny('assistant', [0, 3600, 3600], { role: 2, mic_count: 2 }),
        measures: { ...unmeasured, joined: true },
      },
      { record: tiny('supervisor', [0, 60, 60], { role: 3 }), measures: { ...unmeasured, joined: true } },
    ],
  },
  {
    // Nobody at all.
    room: { ...hour, room_id: 106, name: 'Empty', room_type: 2, peak_member_number: 0, message_count: 0, mic_count: 0 },
    members: [],
  },
  {
    // Records from before there were roles and states: the room's teacher is no student, all others are.
    room: { ...hour, room_id: 107, name: 'Old', teacher_id: 'teacher' },
    members: [
      {
        record: tiny('teacher', [0, 3600, 3600], { role: null, current_state: null }),
        measures: { ...unmeasured, joined: true },
      },
      { record: tiny('s01', [0, 3600, 3600], { role: null, current_state: null }), measures: there },
      {
        // No state either: that it never joined is all there is to know, and makes it an absentee, and the room one with a roster.
        record: absent('s02', { role: null, current_state: null }),
        measures: absence,
      },
      {
        // Its state says that it arrived, so it is no no-show, though when it joined is not told. Not attended: partial.
        record: absent('s03', { role: null, current_state: 2 }),
        measures: { ...absence, no_show: false, attendance_status: 'partial' },
      },
    ],
  },
  {
    // The one that a later read no longer had is nowhere, and its hundred messages are nobody's most.
    room: { ...hour, room_id: 108, name: 'Removed', message_count: 1, mic_count: 0 },
    members: [
      {
        record: tiny('s01', [0, 3600, 3600], { message_count: 1 }),
        measures: { ...there, no_show: null, engagement_score: 2 },
      },
    ],
  },
  {
    // Codes that nobody knows yet. The room has no name.
    room: { ...hour, room_id: 109, room_type: 8 },
    members: [
      {
        record: tiny('s01', [0, 3600, 3600], { role: 9, device: 42, current_state: 17 }),
        measures: { ...unmeasured, joined: true },
      },
    ],
  },
]

/** Taken off room 108 by a later read. */
const removed = tiny('gone', [0, 3600, 3600], { message_count: 100, removed_at: T })

export const workedRooms: readonly ArchivedRoom[] = [
  { room: workedRoom, members: worked.map(({ record }) => record) },
  ...tinyRooms.map(({ room, members }) => ({
    room,
    members: [...members.map(({ record }) => record), ...(room.room_id === 108 ? [removed] : [])],
  })),
]
