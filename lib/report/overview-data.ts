/** What an overview tells of the classes that started in a span of time. Times are wall-clock times, shares are of one. */
export interface OverviewData {
  readonly timeZone: string
  readonly from: number
  /** Excluded. */
  readonly to: number
  readonly course: string | null
  readonly riskSessions: number
  readonly totals: OverviewTotals
  readonly periodLength: PeriodLength
  readonly periods: readonly Period[]
  /** Those with the most classes, at most {@link MOST_COURSES}, lowest attendance first. */
  readonly courses: readonly CourseFigures[]
  readonly coursesInAll: number
  /** Those who miss most, at most {@link MOST_AT_RISK}. */
  readonly atRisk: readonly StudentAtRisk[]
  readonly atRiskInAll: number
  readonly completeness: Completeness
}

export const MOST_COURSES = 100
export const MOST_AT_RISK = 100
export const MOST_LACKING_DAYS = 31

/** Spans of more than two years are told by months, of more than ten weeks what is archived by weeks. */
export type PeriodLength = 'week' | 'month'

export interface AttendanceFigures {
  readonly classes: number
  /** Of classes with a list of who should come. */
  readonly listedClasses: number
  /** In classes with a list, as `attended` and `absent`. */
  readonly expected: number
  readonly attended: number
  readonly absent: number
  readonly late: number
  readonly leftEarly: number
  readonly averagePresentRatio: number | null
  readonly averageEngagement: number | null
}

export interface OverviewTotals extends AttendanceFigures {
  readonly students: number
  readonly hours: number
}

export interface Period extends AttendanceFigures {
  /** Its first day. */
  readonly start: number
}

export interface CourseFigures extends AttendanceFigures {
  readonly course: string
  readonly students: number
}

export interface StudentAtRisk {
  readonly sdkAppId: bigint | null
  readonly userId: string
  readonly userName?: string | undefined
  readonly course: string
  readonly riskLevel: string
  readonly riskReasons: readonly string[]
  readonly sessions: number
  readonly missed: number
  readonly absenceRate: number
  readonly averagePresentRatio: number | null
  readonly lastMissed: number
  readonly trend: number | null
}

export interface Completeness {
  readonly periodLength: 'day' | 'week'
  readonly periods: readonly CompletenessPeriod[]
  /** Days on which something is not archived; at most {@link MOST_LACKING_DAYS}. */
  readonly lacking: readonly CompletenessPeriod[]
  readonly lackingInAll: number
  readonly apps: readonly Freshness[]
}

export const completenessStates = ['archived', 'waiting', 'expired', 'missing', 'failed', 'withoutJob'] as const
export type CompletenessState = (typeof completenessStates)[number]

export interface CompletenessPeriod extends Readonly<Record<CompletenessState, number>> {
  readonly start: number
  readonly ended: number
}

export interface Freshness {
  readonly sdkAppId: bigint | null
  readonly sweptFrom: number | null
  readonly sweptUntil: number | null
  readonly waitingRooms: number
  readonly lagSecondsP50: number | null
  readonly lagSecondsP95: number | null
}

/** The part of those expected who attended; null where nobody knows who was. */
export function rateOf({ attended, expected }: Pick<AttendanceFigures, 'attended' | 'expected'>): number | null {
  return expected > 0 ? attended / expected : null
}
