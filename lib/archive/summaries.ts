import type { RoomReport } from './archive-room'
import type { SweepReport } from './sweep'
import type { WorkDone } from './work'

/** What was done, as JSON for people's programs: the same from the command line and from functions. */
export function workSummary({ archived, expired, putOff, requests, records }: WorkDone) {
  return { archived, expired, put_off: putOff, requests, members: records }
}

export function sweepSummary({ sdkAppId, newJobs, endedRooms, failure, ...report }: SweepReport) {
  const why = failure && { code: failure.code, message: failure.reason }
  return { sdk_app_id: sdkAppId, ...report, ended: endedRooms.length, new_jobs: newJobs, ...why }
}

export function roomSummary({ roomId, durationMs, dueAt, requestId, ...report }: RoomReport) {
  return { room_id: roomId, ...report, request_id: requestId, due_at: dueAt, duration_ms: Math.round(durationMs) }
}

/** Of several rooms together. */
export function roomsSummary(reports: readonly RoomReport[]) {
  const archived = reports.filter(isArchived)
  return {
    archived: archived.length,
    not_archived: reports.length - archived.length,
    requests: sum(reports, ({ requests }) => requests),
    members: sum(archived, ({ records }) => records),
  }
}

/** The archive says by now what LCIC says. */
export function isArchived({ outcome }: RoomReport): boolean {
  return outcome === 'archived' || outcome === 'unchanged'
}

function sum(reports: readonly RoomReport[], value: (report: RoomReport) => number): number {
  return reports.reduce((total, report) => total + value(report), 0)
}
