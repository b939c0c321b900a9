import { ApiError } from '../api-error'
import { encodeJson } from '../lossless-json'
import { pageOf } from '../page'
import { readParameters } from '../parameters'
import { roomStatus, type SimulatedRoom, statusOf } from '../room'
import type { ActionAnswer, ActionCall } from './action'

/** The rooms of an app whose time overlaps a window: by default from half an hour ago to half an hour ahead. */
export function getRooms(call: ActionCall): ActionAnswer {
  const { nowSeconds, roomsWindow } = call
  const parameters = readParameters(call.body, ['SdkAppId', 'StartTime', 'EndTime', 'Page', 'Limit', 'Status'])
  const sdkAppId = Number(parameters.uint64('SdkAppId'))
  const from = parameters.integer('StartTime', { ...anyTime, fallback: Math.floor(nowSeconds) - halfHour })
  const to = parameters.integer('EndTime', { ...anyTime, fallback: Math.floor(nowSeconds) + halfHour })
  const page = parameters.integer('Page', { min: 1, max: 0xffff_ffff, fallback: 1 })
  const limit = parameters.integer('Limit', { min: 1, max: 100, fallback: 10 })
  const statuses = parameters.integers('Status')
  if (from > to) throw new ApiError('InvalidParameter.EndTime', 'The end time is earlier than the start time.')

  const listed = [...call.school.rooms.values()]
    .filter((room) => room.listed && room.sdkAppId === sdkAppId && overlaps(room, from, to, roomsWindow))
    .filter((room) => statuses.length === 0 || statuses.includes(statusOf(room, nowSeconds)))
    .sort((a, b) => a.scheduledStartAt - b.scheduledStartAt || (a.roomId < b.roomId ? -1 : 1))
  const { items, total, faulted } = pageOf(listed, page, limit, call.fault)
  const rooms = items.map((room) => roomItem(room, nowSeconds))
  return { parts: [encodeJson({ Total: total, Rooms: rooms }).slice(1, -1)], records: rooms.length, faulted }
}

const halfHour = 30 * 60
const anyTime = { min: 0, max: Number.MAX_SAFE_INTEGER }

function overlaps(room: SimulatedRoom, from: number, to: number, by: 'scheduled' | 'real'): boolean {
  if (by === 'scheduled' || room.realStartAt === null) return room.scheduledStartAt <= to && room.scheduledEndAt >= from
  return room.realStartAt <= to && (room.realEndAt ?? Number.POSITIVE_INFINITY) >= from
}

function roomItem(room: SimulatedRoom, nowSeconds: number) {
  const status = statusOf(room, nowSeconds)
  const began = status === roomStatus.inClass || status === roomStatus.ended
  const ended = status === roomStatus.ended
  return {
    Name: room.name,
    RoomId: room.roomId,
    Status: status,
    StartTime: room.scheduledStartAt,
    EndTime: room.scheduledEndAt,
    RealStartTime: began ? Math.floor(room.realStartAt ?? 0) : 0,
    RealEndTime: ended ? Math.floor(room.realEndAt ?? 0) : 0,
    Resolution: 1,
    MaxRTCMember: 0,
    ReplayUrl: '',
    RecordUrl: ended ? `https://record.example/${room.roomId}.mp4` : '',
    MaxMicNumber: room.roomType === 1 ? 1 : 6,
    EnableDirectControl: 0,
    InteractionMode: 0,
    VideoOrientation: 0,
    IsGradingRequiredPostClass: 0,
    RoomType: room.roomType,
    EndDelayTime: 0,
    LiveType: 0,
    RecordLiveUrl: '',
    EnableAutoStart: 0,
    WhiteBoardSnapshotMode: 0,
    SubtitlesTranscription: 0,
  }
}
