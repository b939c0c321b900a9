import { expect, test } from 'vitest'
import type { RoomReport } from '../../lib/archive/archive-room'
import { isArchived, roomSummary, roomsSummary, sweepSummary, workSummary } from '../../lib/archive/summaries'

const report = (outcome: RoomReport['outcome'], records: number, requests: number): RoomReport => ({
  roomId: 7n,
  outcome,
  pages: 1,
  records,
  inserted: 0,
  updated: 0,
  removed: 0,
  duplicates: 0,
  requests,
  durationMs: 12.6,
})

test('what a worker did is told in the names of the documents', () => {
  const done = { archived: 1, expired: 2, putOff: 3, requests: 4, records: 5 }
  expect(workSummary(done)).toEqual({ archived: 1, expired: 2, put_off: 3, requests: 4, members: 5 })
})

test('a sweep is told with how many rooms have ended, and why it did not see all where it did not', () => {
  const span = { from: new Date(0), to: new Date(1) }
  const sweep = { sdkAppId: 1n, ...span, rooms: 3, endedRooms: [5n, 6n], newJobs: 1, requests: 2 }
  const told = { sdk_app_id: 1n, ...span, rooms: 3, ended: 2, new_jobs: 1, requests: 2 }
  expect(sweepSummary(sweep)).toEqual(told)
  const failure = { code: 'E_X', isRefused: true, reason: 'It is so.' }
  expect(sweepSummary({ ...sweep, failure })).toEqual({ ...told, code: 'E_X', message: 'It is so.' })
})

test('a room is told with its RequestId and due time, in whole milliseconds', () => {
  const dueAt = new Date(0)
  const { roomId, durationMs: _, ...rest } = report('throttled', 0, 2)
  expect(roomSummary({ ...report('throttled', 0, 2), requestId: 'r', dueAt })).toEqual({
    ...rest,
    room_id: roomId,
    request_id: 'r',
    due_at: dueAt,
    duration_ms: 13,
  })
})

test('of several rooms the members count that are archived, and the requests of all', () => {
  const reports = [
    report('archived', 10, 1),
    report('unchanged', 20, 2),
    report('shrunk', 40, 4),
    report('busy', 80, 8),
  ]
  expect(reports.map(isArchived)).toEqual([true, true, false, false])
  expect(roomsSummary(reports)).toEqual({ archived: 2, not_archived: 2, requests: 15, members: 30 })
  expect(roomsSummary([])).toEqual({ archived: 0, not_archived: 0, requests: 0, members: 0 })
})
