import { Command } from 'commander'
import { schedule } from '../archive/schedule'
import { readConfig } from '../config'
import { databaseTime } from '../db/instant'
import {
  type DayStatus,
  readFailedRooms,
  readStatus,
  type Status,
  type UnarchivedRoom,
  type WaitingStatus,
} from '../db/read-status'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printable, printJson, table } from './output'
import { openDatabase } from './session'

/** Days shown in the table, besides those on which something is not archived; `--json` has all. */
const DAYS_SHOWN = 14

/** Sweeps are regular, and one that was whole is older than this: they have stopped, or keep failing. */
const STALE_MS = 86_400_000

const ALL_DAYS = 'all days'

/** Rooms that `--failed` lists at most. */
const MOST_FAILED = 1000

export function statusCommand(): Command {
  return new Command('status')
    .description('show how complete the archive is: what LCIC says ended beside what is archived')
    .option('--failed', 'list the rooms that were given up or are missing, and why')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Each room that ended counts once, by the day (UTC) and app: archived, waiting, expired (never used: there are no
statistics), missing (LCIC denied it for a day), failed (given up after ARCHIVE_GIVE_UP_AFTER), or gap: LCIC lists it and
nothing has been done. What LCIC lists is known for the time that sweeps have seen whole.

Exit code: 0 nothing is amiss, 1 a room has failed, passed its deadline (180 days), is a gap, or has been due for more
than a day, or an app's last full sweep is more than a day old or its first one failed, 2 usage or configuration, 3 the
database is out of reach. With --json, \`complete\` says whether, besides, nothing is left to archive.

Examples:
  $ lcic-archive status
  $ lcic-archive status --failed
  $ lcic-archive status --json | jq .problems
`,
    )
    .action(async ({ failed, json }: { failed?: boolean; json?: boolean }) => {
      const config = readConfig()
      await using session = await openDatabase(config)
      const status = await readStatus(session.db, { now: databaseTime })
      const problems = problemsOf(status, config.sdkAppIds)
      const known = knownSpanOf(status, config.sdkAppIds)
      const unarchived = failed ? await readFailedRooms(session.db, { limit: MOST_FAILED }) : undefined
      if (json)
        printJson({ ...jsonOf(status, problems, known), ...(unarchived && { rooms: unarchived.map(jsonRoom) }) })
      else if (unarchived) printFailed(unarchived)
      else printStatus(status, problems, known)
      setExitCode(problems.length > 0 ? ExitCode.incomplete : ExitCode.done)
    })
}

/** What somebody has to look after, in words. */
export function problemsOf({ days, readAt, oldestDueAt, sweeps }: Status, sdkAppIds: readonly bigint[]): string[] {
  const total = totalOf(days)
  const problem = (rooms: number, what: string) => (rooms > 0 ? [`${counted(rooms, 'room')} ${what}`] : [])
  const isStale = (at: Date) => readAt.getTime() - at.getTime() > STALE_MS
  const swept = new Map(sweeps.map((app) => [app.sdkAppId, app]))
  // Who has no app swept at all goes without sweeps.
  const apps = sdkAppIds.length > 0 && sweeps.length > 0 ? sdkAppIds : [...swept.keys()]
  return [
    ...problem(total.gap, 'ended without a job: run lcic-archive sweep'),
    ...problem(total.passedDeadline, 'past the deadline: LCIC may have deleted the data'),
    ...problem(total.failed, 'failed: lcic-archive status --failed says why, lcic-archive retry --failed tries again'),
    ...(oldestDueAt && isStale(oldestDueAt)
      ? [`Rooms are due since ${short(oldestDueAt)}, and nobody asks for them: start lcic-archive run, or more of them`]
      : []),
    ...apps.flatMap((sdkAppId) => {
      const { sweptUntil, startedAt, errorMessage } = swept.get(sdkAppId) ?? {}
      if (sweptUntil && isStale(sweptUntil))
        return [`App ${sdkAppId}: what ended since ${short(sweptUntil)} is not known: run lcic-archive sweep`]
      const isUnderWay = startedAt && !errorMessage && !isStale(startedAt)
      return sweptUntil || isUnderWay
        ? []
        : [`App ${sdkAppId} was never swept whole: what ended is not known: run lcic-archive sweep`]
    }),
  ]
}

/** A time: all rooms that LCIC lists for it are known. */
export interface KnownSpan {
  readonly from: Date
  readonly to: Date
}

/**
 * Which time is known of all apps that are configured, or else of all that were ever swept.
 *
 * @returns null if one of them never was swept whole, or they have no time in common
 */
export function knownSpanOf({ sweeps }: Status, sdkAppIds: readonly bigint[]): KnownSpan | null {
  const known = new Map(sweeps.map((app) => [app.sdkAppId, app]))
  const apps = sdkAppIds.length > 0 ? sdkAppIds : [...known.keys()]
  const froms = apps.map((app) => known.get(app)?.sweptFrom?.getTime() ?? Number.NaN)
  const tos = apps.map((app) => known.get(app)?.sweptUntil?.getTime() ?? Number.NaN)
  const [from, to] = [Math.max(...froms), Math.min(...tos)]
  return Number.isFinite(from) && from < to ? { from: new Date(from), to: new Date(to) } : null
}

type Counts = Omit<DayStatus, 'day' | 'sdkAppId'>

function totalOf(days: readonly DayStatus[]): Counts {
  const sum = (count: (day: DayStatus) => number) => days.reduce((total, day) => total + count(day), 0)
  return {
    ended: sum(({ ended }) => ended),
    archived: sum(({ archived }) => archived),
    waiting: sum(({ waiting }) => waiting),
    expired: sum(({ expired }) => expired),
    missing: sum(({ missing }) => missing),
    failed: sum(({ failed }) => failed),
    gap: sum(({ gap }) => gap),
    passedDeadline: sum(({ passedDeadline }) => passedDeadline),
  }
}

/** The status for people. */
export function printStatus(status: Status, problems: readonly string[], known: KnownSpan | null): void {
  const { days, waiting, upcoming, rereads, oldestDueAt, freshness, sweeps, budgets } = status
  const shown = days.filter((day, index) => index >= days.length - DAYS_SHOWN || day.archived < day.ended - day.expired)
  const total = { day: ALL_DAYS, sdkAppId: null, ...totalOf(days) }
  print(
    table(
      [...shown, total],
      [
        { title: 'day (UTC)', value: ({ day }) => day },
        { title: 'app', value: ({ day, sdkAppId }) => sdkAppId ?? (day === ALL_DAYS ? '' : 'unknown'), align: 'right' },
        { title: 'ended', value: ({ ended }) => ended, align: 'right' },
        { title: 'archived', value: ({ archived }) => archived, align: 'right' },
        { title: 'waiting', value: ({ waiting }) => waiting, align: 'right' },
        { title: 'expired', value: ({ expired }) => expired, align: 'right' },
        { title: 'missing', value: ({ missing }) => missing, align: 'right' },
        { title: 'failed', value: ({ failed }) => failed, align: 'right' },
        { title: 'gap', value: ({ gap }) => gap, align: 'right' },
      ],
    ),
  )
  for (const reason of waiting) print(waitingText(reason))
  if (upcoming > 0) print(`${counted(upcoming, 'room')} planned or in class.`)
  if (rereads > 0) print(`${counted(rereads, 'archived room')} will be read once more.`)
  if (oldestDueAt) print(`Due since ${short(oldestDueAt)}; lcic-archive run works it off.`)
  const { rooms, p50Ms, p95Ms } = freshness
  if (rooms > 0) {
    print(
      `Archived in the last 24 hours: ${counted(rooms, 'room')}, half of them within ${span(p50Ms)} of their end, 95 % within ${span(p95Ms)}.`,
    )
  }
  for (const { sdkAppId, sweptFrom, sweptUntil, errorMessage } of sweeps) {
    const span = sweptFrom && sweptUntil && `from ${short(sweptFrom)} to ${short(sweptUntil)}`
    print(
      `App ${sdkAppId}: ${span ? `all that LCIC lists ${span} is known` : 'never swept whole'}.${errorMessage ? ` The last sweep failed: ${errorMessage}` : ''}`,
    )
  }
  if (sweeps.length === 0) print('Never swept.')
  for (const { budget, backlogMs, lastMinute } of budgets) {
    if (lastMinute === 0 && backlogMs === 0) continue
    const [action, host] = budget.split(' ')
    print(
      `${action} at ${host}: ${counted(lastMinute, 'request')} in the last full minute, the next can be sent in ${(backlogMs / 1000).toFixed(1)} s.`,
    )
  }
  print(problems.length > 0 ? `\n${problems.map((problem) => `! ${problem}.`).join('\n')}` : `\n${allWell(known)}`)
}

function allWell(known: KnownSpan | null): string {
  return known
    ? `Nothing is amiss: of the rooms that LCIC lists from ${short(known.from)} to ${short(known.to)} each is archived once it has ended, or the reason is given above.`
    : 'Each room that was named is archived, or the reason is given above; whether there are others is not known: run lcic-archive sweep.'
}

function waitingText({ reason, rooms, nextAt, nearestDeadlineAt }: WaitingStatus): string {
  const why = reason === null ? 'not asked for yet' : (meanings.get(reason) ?? reason)
  const next = nextAt ? `, next try ${short(nextAt)}` : ''
  return `${counted(rooms, 'room')} waiting: ${why}${next}, nearest deadline ${short(nearestDeadlineAt)}.`
}

const meanings = new Map(Object.entries(schedule).map(([kind, { meaning }]) => [kind, meaning]))

function printFailed(rooms: readonly UnarchivedRoom[]): void {
  for (const { roomId, state, endedAt, deadlineAt, attempts, message, requestId } of rooms) {
    const ended = endedAt ? `ended ${short(endedAt)}, ` : ''
    print(`${roomId}  ${state}, ${ended}${counted(attempts, 'attempt')}, deadline ${short(deadlineAt)}`)
    print(`    ${printable(message)}${requestId ? ` (RequestId ${requestId})` : ''}`)
  }
  print(`${counted(rooms.length, 'room')}${rooms.length === MOST_FAILED ? ' or more' : ''} failed or missing.`)
}

function short(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function span(durationMs: number | null): string {
  const minutes = (durationMs ?? 0) / 60_000
  return minutes < 120 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`
}

function jsonOf(status: Status, problems: readonly string[], known: KnownSpan | null) {
  const { readAt, days, waiting, upcoming, rereads, oldestDueAt, freshness, sweeps, budgets } = status
  const total = totalOf(days)
  return {
    /** Nothing is amiss, and of all that LCIC lists nothing is left to archive. */
    complete: problems.length === 0 && known !== null && total.archived + total.expired === total.ended,
    problems,
    read_at: readAt,
    known_from: known?.from ?? null,
    known_up_to: known?.to ?? null,
    total: jsonCounts(total),
    days: days.map(({ day, sdkAppId, ...counts }) => ({ day, sdk_app_id: sdkAppId, ...jsonCounts(counts) })),
    waiting: waiting.map(({ reason, rooms, nextAt, nearestDeadlineAt }) => ({
      reason,
      rooms,
      next_at: nextAt,
      nearest_deadline_at: nearestDeadlineAt,
    })),
    upcoming,
    rereads,
    oldest_due_at: oldestDueAt,
    freshness: { rooms: freshness.rooms, p50_ms: rounded(freshness.p50Ms), p95_ms: rounded(freshness.p95Ms) },
    sweeps: sweeps.map(({ sdkAppId, sweptFrom, sweptUntil, startedAt, finishedAt, rooms, errorMessage }) => ({
      sdk_app_id: sdkAppId,
      swept_from: sweptFrom,
      swept_until: sweptUntil,
      started_at: startedAt,
      finished_at: finishedAt,
      rooms,
      error_message: errorMessage,
    })),
    budgets: budgets.map(({ budget, backlogMs, lastMinute }) => ({
      budget,
      backlog_ms: Math.round(backlogMs),
      last_minute: lastMinute,
    })),
  }
}

const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms))

function jsonCounts({ passedDeadline, ...counts }: Counts) {
  return { ...counts, passed_deadline: passedDeadline }
}

function jsonRoom({ roomId, state, endedAt, deadlineAt, attempts, errorCode, message, requestId }: UnarchivedRoom) {
  return {
    room_id: roomId,
    state,
    ended_at: endedAt,
    deadline_at: deadlineAt,
    attempts,
    error_code: errorCode,
    message,
    request_id: requestId,
  }
}
