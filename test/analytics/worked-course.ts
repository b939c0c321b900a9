import { type ArchivedRoom, later, type Row, shanghai } from './rows'

type Reason = 'absence' | 'missed_last' | 'trend'

/** What was worked out for a student: `shares` is the sum of the present ratios. */
type Standing = readonly [
  sessions: string,
  user: string,
  listed: number,
  attended: number,
  noShow: number,
  shares: number,
  trend: number | null,
  lastMissed: number,
  risk: 'none' | 'at_risk' | 'high' | null,
  reasons: readonly Reason[],
]

const hour = 3600

/** A letter a session of an hour: seconds there. */
const present: Readonly<Record<string, number>> = {
  P: hour, // all of it
  8: 0.8 * hour,
  9: 0.8 * hour + 1,
  h: hour / 2, // attended, just so
  p: 0.45 * hour, // partial, which is missed
  N: 0, // did not come
}

/**
 * Three weeks of a course, every day at nine from Monday 5 January 2026 on, and who was there: a dot where the student was
 * not listed. A trend takes 8 sessions, a risk 4. Absence is the part of the sessions listed that was not attended.
 */
export const students: readonly Standing[] = [
  ['PPPPPPPPPPPPPPPPPPPPP', 'steady', 21, 21, 0, 21, 0, 0, 'none', []],
  // 2 of 21 are 9.5 %; (.5 + .5 + .45 + .45) / 4 − .5.
  ['hhhhhhhhhhhhhhhhhhhpp', 'last two', 21, 19, 0, 10.4, -0.025, 2, 'at_risk', ['missed_last']],
  // One in the end is not two. (.5 + .5 + .5 + .45) / 4 − .5.
  ['hhhhhhhhhhhhhhhhhhhhp', 'last one', 21, 20, 0, 10.45, -0.0125, 1, 'none', []],
  // 1 of 11 is less than 10 %.
  ['..........NPPPPPPPPPP', 'eleventh', 11, 10, 1, 10, 0, 0, 'none', []],
  // 1 of 10 is 10 %.
  ['...........NPPPPPPPPP', 'tenth', 10, 9, 1, 9, 0, 0, 'at_risk', ['absence']],
  // 2 of 9 are less than 25 %. 1 − 3/4.
  ['............NNPPPPPPP', 'ninth', 9, 7, 2, 7, 0.25, 0, 'at_risk', ['absence']],
  // 2 of 8 are 25 %. 1 − 2/4.
  ['.............NNPPPPPP', 'quarter', 8, 6, 2, 6, 0.5, 0, 'high', ['absence']],
  // .8 − 1 is −0.2.
  ['.............PPPP8888', 'falling', 8, 8, 0, 7.2, -0.2, 0, 'at_risk', ['trend']],
  // One second more in four sessions: 1/14400 above −0.2, to six places.
  ['.............PPPP8889', 'nearly falling', 8, 8, 0, 7.2 + 1 / 3600, -0.199931, 0, 'none', []],
  ['..............NPPPPPP', 'seven', 7, 6, 1, 6, null, 0, 'at_risk', ['absence']],
  ['.................PPPP', 'four', 4, 4, 0, 4, null, 0, 'none', []],
  // Three, all missed: too few to say anything.
  ['..................NNN', 'three', 3, 0, 3, 0, null, 3, null, []],
  // All at once: 2 of 8, the last two, 2/4 − 1.
  ['.............PPPPPPNN', 'all', 8, 6, 2, 6, -0.5, 2, 'high', ['absence', 'missed_last', 'trend']],
]

function start(day: number): Date {
  return later(shanghai('2026-01-05', '09:00:00'), (day - 1) * 86_400)
}

function membersOf(day: number): Row[] {
  return students.flatMap(([sessions, user_id]): Row[] => {
    const letter = sessions[day - 1] ?? '.'
    if (letter === '.') return []
    const common = { user_id, user_name: `Name of ${user_id}`, role: 0, group_id: 'physics-1' }
    if (letter === 'N') return [{ ...common, current_state: 0, present_seconds: 0 }]
    const [first_join_at, last_quit_at] = [start(day), later(start(day), hour)]
    return [{ ...common, current_state: 2, present_seconds: present[letter], first_join_at, last_quit_at }]
  })
}

const days = Array.from({ length: 21 }, (_, index) => index + 1)

/** A class of no length on the day after: whether somebody attended it nobody can say, so it counts for nobody. */
const zero: ArchivedRoom = {
  room: { room_id: 222, sdk_app_id: 2, name: 'Physics', real_start_at: start(22), real_end_at: start(22) },
  members: [
    {
      ...{ user_id: 'tenth', user_name: 'Name of tenth', role: 0, group_id: 'physics-1', current_state: 2 },
      ...{ present_seconds: 0, first_join_at: start(22), last_quit_at: start(22) },
    },
  ],
}

export const courseRooms: readonly ArchivedRoom[] = [
  ...days.map((day) => ({
    room: {
      ...{ room_id: 200 + day, sdk_app_id: 2, name: 'Physics', teacher_id: 'curie' },
      ...{ real_start_at: start(day), real_end_at: later(start(day), hour) },
    },
    members: membersOf(day),
  })),
  zero,
]

/**
 * By week, counted down the columns above.
 *
 * Week 1, days 1 to 7: three students, 21 places, all taken. Shares: 7 + 3.5 + 3.5 = 14.
 *
 * Week 2, days 8 to 14: 3 × 7, eleventh 4, tenth 3, ninth 2, and quarter, falling, nearly falling, all 1 each: 34 places, of
 * which N: 1 + 1 + 2 + 1 = 5. Shares: 7 + 3.5 + 3.5 + 3 + 2 + 0 + 0 + 1 + 1 + 1 = 22.
 *
 * Week 3, days 15 to 21: ten of 7 (steady, last two, last one, eleventh, tenth, ninth, quarter, falling, nearly falling,
 * all), seven 7, four 4, three 3: 84 places, of which N: quarter 1, seven 1, all 2, three 3, together 7; p: 2 + 1. Shares: 7
 * + 3.4 + 3.45 + 7 + 7 + 7 + 6 + 6.2 + 6.2 + 1/3600 + 5 + 6 + 4 = 68.25 + 1/3600.
 *
 * Week 4: the class of no length.
 */
export const weeks: readonly Week[] = [
  ['2026-01-05', 7, 3, 21, 21, 21, 0, 14],
  ['2026-01-12', 7, 10, 34, 29, 29, 5, 22],
  ['2026-01-19', 7, 13, 84, 77, 74, 7, 68.25 + 1 / 3600],
  ['2026-01-26', 1, 1, 1, 1, 0, 0, null],
]

type Week = readonly [
  start: string,
  sessions: number,
  students: number,
  expected: number,
  joined: number,
  attended: number,
  noShow: number,
  shares: number | null,
]
