import * as z from 'zod'
import type { Answer } from './client'
import { SourceError } from './errors'
import { idSchema } from './id'
import { readLosslessResponse } from './lossless-json'
import { codeOf, storableText, textOf, timeOf } from './values'

/** What LCIC says of a room without its statistics. Null: it does not say. Times are Unix seconds. */
export interface RoomFacts {
  readonly sdkAppId: bigint | null
  /** 0 not started, 1 in class, 2 ended, 3 expired. */
  readonly status: number | null
  readonly name: string | null
  /** 0 small, 1 large, 2 one to one, 3 round table. */
  readonly roomType: number | null
  readonly scheduledStartTime: number | null
  readonly scheduledEndTime: number | null
}

/** A room of a list. Source: data type RoomItem. */
export interface ListedRoom extends RoomFacts {
  readonly roomId: bigint
  readonly realStartTime: number | null
  readonly realEndTime: number | null
}

/** One page of a list of rooms. */
export interface RoomsPage {
  readonly requestId: string
  /** Rooms of the whole list. */
  readonly total: number
  /** Rooms on this page; those without a usable id are left out. */
  readonly rooms: readonly ListedRoom[]
  /** How many the page has, those left out included. */
  readonly count: number
}

/** Answer of DescribeRoom. */
export interface RoomDescription extends RoomFacts {
  readonly requestId: string
  /** Empty if LCIC names none. */
  readonly teacherId: string
}

/** LCIC's room statuses. Source: RoomItem.Status. */
export const roomStatus = { notStarted: 0, inClass: 1, ended: 2, expired: 3 } as const

/** @throws {SourceError} `E_NOT_AN_API_ANSWER` where there is no usable `Total` or `Rooms` */
export function readRoomsPage({ body }: Answer, sdkAppId: bigint): RoomsPage {
  const { RequestId: requestId, Total: total, Rooms } = read(pageSchema, body, 'list of rooms')
  const items = Rooms ?? []
  const rooms = items.flatMap((item) => {
    const { success, data } = itemSchema.safeParse(item)
    if (!success) return []
    return {
      roomId: data.RoomId,
      ...factsOf(data, sdkAppId),
      realStartTime: timeOf(data.RealStartTime).value,
      realEndTime: timeOf(data.RealEndTime).value,
    }
  })
  return { requestId, total, rooms, count: items.length }
}

/** @throws {SourceError} `E_NOT_AN_API_ANSWER` */
export function readRoomDescription({ body }: Answer): RoomDescription {
  const { RequestId: requestId, SdkAppId, TeacherId, ...rest } = read(descriptionSchema, body, 'room')
  return { requestId, ...factsOf(rest, SdkAppId ?? null), teacherId: textOf(TeacherId).value ?? '' }
}

function factsOf(item: Readonly<Record<string, unknown>>, sdkAppId: bigint | null): RoomFacts {
  return {
    sdkAppId,
    status: codeOf(item.Status).value,
    name: textOf(item.Name).value,
    roomType: codeOf(item.RoomType).value,
    scheduledStartTime: timeOf(item.StartTime).value,
    scheduledEndTime: timeOf(item.EndTime).value,
  }
}

/** Read from the text, because ids beyond 2^53 are rounded in what the SDK parsed. */
function read<Shape extends z.ZodType>(schema: Shape, body: Buffer, what: string): z.output<Shape> {
  const { success, data } = schema.safeParse(readLosslessResponse(body.toString()))
  if (success) return data
  throw new SourceError('transient', 'E_NOT_AN_API_ANSWER', `The answer holds no ${what}.`)
}

const requestId = z.string().min(1).max(200).transform(storableText)
const count = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(0).max(100_000_000))

const pageSchema = z.looseObject({
  RequestId: requestId,
  Total: count,
  Rooms: z.array(z.unknown()).max(1000).nullish(),
})
const itemSchema = z.looseObject({ RoomId: idSchema })
const descriptionSchema = z.looseObject({ RequestId: requestId, SdkAppId: idSchema.nullish().catch(null) })
