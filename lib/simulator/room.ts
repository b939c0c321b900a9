import type { SimulatedRecord } from './member-record'

/** What becomes of a room: `missing` answers ResourceNotFound.Room, `expired` was never used. */
export type RoomFate = 'held' | 'missing' | 'expired'

/** A room's own figures, as DescribeRoomStatistics gives them. */
export interface RoomFigures {
  PeakMemberNumber: number
  MemberNumber: number
  MessageCount: number
  MicCount: number
  /** In place of the number of records. */
  Total?: number
  /** In place of the room's own time, Unix seconds. */
  RealStartTime?: number | null
  /** In place of the room's own time, Unix seconds. */
  RealEndTime?: number | null
}

/** One class in the simulated school. Tests change its fields directly; the next answer shows it. */
export interface SimulatedRoom {
  roomId: bigint
  sdkAppId: number
  name: string
  teacherId: string
  assistants: string[]
  /** 0 small, 1 large, 2 one-to-one, 3 round table. */
  roomType: number
  /** Unix seconds. */
  scheduledStartAt: number
  /** Unix seconds. */
  scheduledEndAt: number
  /** Unix seconds: what the class really does on the simulator's clock; null if it never began. */
  realStartAt: number | null
  /** Unix seconds; null while no end is in sight. */
  realEndAt: number | null
  /** Unix seconds, fractions allowed: the statistics are there from then on. */
  readyAt: number
  fate: RoomFate
  /** How many more times to answer ResourceUnavailable.RoomStatistics, whatever the clock says. */
  notReadyAnswers: number
  /** Whether GetRooms knows the room; one that is not listed can only be learnt of by a callback or a command. */
  listed: boolean
  /** Promises that nobody changes a record in place, so that serialised pages may be kept. */
  frozen: boolean
  figures: RoomFigures
  members: SimulatedRecord[]
}

/** The API's status of a room. */
export const roomStatus = { notStarted: 0, inClass: 1, ended: 2, expired: 3 } as const

/** Where the room stands at `nowSeconds` (Unix seconds). A class that nobody began by its scheduled end has expired. */
export function statusOf(room: SimulatedRoom, nowSeconds: number): 0 | 1 | 2 | 3 {
  if (room.fate === 'expired' || room.realStartAt === null) {
    return nowSeconds < room.scheduledEndAt ? roomStatus.notStarted : roomStatus.expired
  }
  if (nowSeconds < room.realStartAt) return roomStatus.notStarted
  if (room.realEndAt === null || nowSeconds < room.realEndAt) return roomStatus.inClass
  return roomStatus.ended
}
