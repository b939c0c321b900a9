import { encodeJson } from '../lossless-json'
import { readParameters } from '../parameters'
import { roomStatus, statusOf } from '../room'
import type { ActionAnswer, ActionCall } from './action'
import { findRoom } from './find-room'

/** What was planned for one room: who teaches, who assists, when. It gives no real times. */
export function describeRoom(call: ActionCall): ActionAnswer {
  const parameters = readParameters(call.body, ['RoomId', 'RTMPStreamingURL'])
  const roomId = parameters.uint64('RoomId')
  parameters.integer('RTMPStreamingURL', { min: 0, max: 1, fallback: 0 })
  const room = findRoom(call.school, roomId)
  const status = statusOf(room, call.nowSeconds)
  const fields = {
    Name: room.name,
    StartTime: room.scheduledStartAt,
    EndTime: room.scheduledEndAt,
    TeacherId: room.teacherId,
    SdkAppId: room.sdkAppId,
    AudienceType: 0,
    Resolution: 1,
    MaxMicNumber: room.roomType === 1 ? 1 : 6,
    AutoMic: 0,
    AudioQuality: 0,
    SubType: 'videodoc',
    DisableRecord: 1,
    Assistants: room.assistants,
    RecordUrl: status === roomStatus.ended ? `https://record.example/${roomId}.mp4` : '',
    Status: status,
    GroupId: String(roomId),
    EnableDirectControl: 0,
    InteractionMode: 0,
    VideoOrientation: 0,
    IsGradingRequiredPostClass: 0,
    RoomType: room.roomType,
    VideoDuration: 0,
    EndDelayTime: 0,
    LiveType: 0,
    RecordLiveUrl: '',
    EnableAutoStart: 0,
    RecordLayout: 3,
    WhiteBoardSnapshotMode: 0,
    SubtitlesTranscription: 0,
    Guests: [],
  }
  return { parts: [encodeJson(fields).slice(1, -1)] }
}
