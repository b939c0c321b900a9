/** What a class report tells. Times are wall-clock times, see {@link Format}; shares are of one. */
export interface ClassData {
  readonly timeZone: string
  readonly thresholds: Thresholds
  readonly room: ClassRoom
  readonly figures: ClassFigures
  /** Whoever joined, or may have, in the order of their first join; at most {@link MOST_MEMBERS}. */
  readonly members: readonly ClassMember[]
  /** How many they are in all. */
  readonly membersInAll: number
  /** Students who never came; at most {@link MOST_MEMBERS}. */
  readonly absentees: readonly Absentee[]
  readonly absenteesInAll: number
  /** How many of each kind there are in all, see {@link AttendanceKind}. */
  readonly kinds: Readonly<Partial<Record<AttendanceKind, number>>>
  /** Students by the tenth of the class that they were present: under 10 %, …, 90 % and more. */
  readonly presence: readonly number[]
  readonly concurrency: readonly ConcurrencyPoint[]
  readonly findings: readonly Finding[]
}

/** Whether anybody is listed, and not deleted since. */
export function listsMembers({ room, membersInAll, absenteesInAll }: ClassData): boolean {
  return room.membersPrunedAt === null && membersInAll + absenteesInAll > 0
}

/** A page with more could not be read, nor be kept under a megabyte. */
export const MOST_MEMBERS = 1000

export interface Thresholds {
  readonly lateAfterSeconds: number
  readonly earlyBeforeSeconds: number
  readonly attendedRatio: number
}

export interface ClassRoom {
  readonly roomId: bigint
  readonly sdkAppId: bigint | null
  readonly name: string | null
  readonly course: string | null
  readonly teacherId: string | null
  /** LCIC's number of the type. */
  readonly roomType: number | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly scheduledStartAt: number | null
  readonly scheduledEndAt: number | null
  readonly lengthSeconds: number | null
  /** Whether it is known who should have come. */
  readonly rosterKnown: boolean
  readonly records: number
  readonly erasedMembers: number
  readonly membersPrunedAt: number | null
  readonly revision: number
  readonly archivedAt: number
}

export interface ClassFigures {
  readonly expected: number | null
  readonly joined: number | null
  readonly attended: number | null
  readonly noShow: number | null
  readonly partial: number | null
  readonly late: number | null
  readonly leftEarly: number | null
  readonly staff: number | null
  readonly attendanceRate: number | null
  readonly averagePresentRatio: number | null
  readonly averageEngagement: number | null
  readonly peakMembers: number | null
  readonly onlineMembers: number | null
  readonly messageCount: number | null
  readonly micCount: number | null
  readonly handUps: number | null
  readonly rewards: number | null
  readonly answers: number | null
}

export const attendanceStatuses = ['present', 'late', 'left_early', 'partial', 'no_show'] as const
export type AttendanceStatus = (typeof attendanceStatuses)[number]

/** What a member is shown as: a student's attendance, staff, or a student of whom it cannot be told. */
export const attendanceKinds = ['present', 'late', 'left_early', 'partial', 'staff', 'unknown', 'no_show'] as const
export type AttendanceKind = (typeof attendanceKinds)[number]

export interface ClassMember {
  readonly userId: string
  /** Only where names were asked for. */
  readonly userName?: string | undefined
  /** LCIC's number of the role. */
  readonly role: number | null
  readonly isStudent: boolean
  readonly firstJoinAt: number | null
  readonly lastQuitAt: number | null
  readonly presentSeconds: number | null
  readonly presentRatio: number | null
  readonly lateSeconds: number | null
  readonly isLate: boolean | null
  readonly earlySeconds: number | null
  readonly leftEarly: boolean | null
  readonly awaySeconds: number | null
  /** Null of staff, and where it cannot be told. */
  readonly status: AttendanceStatus | null
  readonly micCount: number | null
  readonly messageCount: number | null
  readonly handUps: number | null
  readonly rewards: number | null
  readonly answers: number | null
  readonly engagementScore: number | null
}

export interface Absentee {
  readonly userId: string
  readonly userName?: string | undefined
  readonly groupId: string | null
}

export interface ConcurrencyPoint {
  readonly at: number
  readonly members: number
}

/** What is odd about the data of a class, and how often. */
export interface Finding {
  readonly finding: string
  /** In English, as the database has it. */
  readonly label: string
  readonly explanation: string
  readonly isContradiction: boolean
  readonly count: number
  /** Some of the members it is about; none: it is about the class. */
  readonly userIds: readonly string[]
  /** Of a finding about the class. */
  readonly lcicValue: number | null
  readonly archiveValue: number | null
}
