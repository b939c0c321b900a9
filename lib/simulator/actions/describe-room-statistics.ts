import { ApiError } from '../api-error'
import type { SimulatedRecord } from '../member-record'
import { pageOf } from '../page'
import { readParameters } from '../parameters'
import { roomStatus, type SimulatedRoom, statusOf } from '../room'
import type { ActionAnswer, ActionCall } from './action'
import { findRoom } from './find-room'

/** One page of the records of a room that ended. */
export function describeRoomStatistics(call: ActionCall): ActionAnswer {
  const parameters = readParameters(call.body, ['RoomId', 'Page', 'Limit'])
  const roomId = parameters.uint64('RoomId')
  const page = parameters.integer('Page', { min: 1, max: 0xffff_ffff })
  const limit = parameters.integer('Limit', { min: 1, max: 1000 })
  const room = findRoom(call.school, roomId)
  checkReady(room, call.nowSeconds)

  const { Total = room.members.length, ...figures } = room.figures
  const { items, total, faulted } = pageOf(room.members, page, limit, call.fault)
  const mayCache = (room.frozen || call.frozen) && !faulted
  const records = mayCache ? cachedPage(room.members, items, `${page}/${limit}`) : JSON.stringify(items)
  const fields = {
    RealStartTime: wholeSeconds(room.realStartAt),
    RealEndTime: wholeSeconds(room.realEndAt),
    ...figures,
    // An override of Total takes the fault's difference along.
    Total: Total + total - room.members.length,
  }
  return {
    parts: [JSON.stringify(fields).slice(1, -1), ',"MemberRecords":', records],
    records: items.length,
    faulted,
  }
}

function checkReady(room: SimulatedRoom, nowSeconds: number): void {
  const status = statusOf(room, nowSeconds)
  if (status === roomStatus.expired) {
    throw new ApiError('FailedOperation.ClassExpired', 'The class has expired.')
  }
  if (status !== roomStatus.ended) {
    throw new ApiError('FailedOperation.RoomNotEnd', 'The room has not ended.')
  }
  if (room.notReadyAnswers > 0 || nowSeconds < room.readyAt) {
    if (room.notReadyAnswers > 0) room.notReadyAnswers -= 1
    throw new ApiError(
      'ResourceUnavailable.RoomStatistics',
      'The room statistics are being calculated, try again later.',
    )
  }
}

function wholeSeconds(time: number | null): number | null {
  return time === null ? null : Math.floor(time)
}

/** Keyed by the array itself: a room that gets new records gets a new cache, and the old one can be collected. */
const caches = new WeakMap<readonly SimulatedRecord[], Map<string, Buffer>>()

function cachedPage(members: readonly SimulatedRecord[], items: readonly SimulatedRecord[], key: string): Buffer {
  const pages = caches.get(members) ?? new Map<string, Buffer>()
  caches.set(members, pages)
  const keyWithLength = `${key}/${members.length}`
  const known = pages.get(keyWithLength)
  if (known) return known
  const encoded = Buffer.from(JSON.stringify(items))
  pages.set(keyWithLength, encoded)
  return encoded
}
