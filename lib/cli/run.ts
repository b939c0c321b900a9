import { Command } from 'commander'
import { isDone, type RoomReport } from '../archive/archive-room'
import { workSummary } from '../archive/summaries'
import { type WorkDone, work } from '../archive/work'
import { isUnreachable } from '../lcic/errors'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printable, printJson, seconds } from './output'
import { showProgress } from './progress'
import { archiveContext, openDatabase, readConfigWithCredentials } from './session'
import { endAfter, interruption } from './signals'

/** A worker that is told to stop has this long to give back its rooms. */
const STOP_WITHIN_MS = 4500

export function runCommand(): Command {
  return new Command('run')
    .description('work off every job that is due, as one of any number of workers, until told to stop')
    .option('--until-idle', 'end when no job is due within a minute')
    .option('--json', 'print one JSON document at the end')
    .addHelpText(
      'after',
      `
Start as many as you like, on as many machines: they share the jobs and the request budget. Ctrl-C or SIGTERM ends a
worker within 5 s; its rooms are given back. One that is killed loses nothing: others take its rooms within a minute.
Jobs come from \`sweep\` and from \`archive\`.

Exit code: 0 done or told to stop; 1 (with --until-idle) rooms were put off and not archived since; 2 usage,
configuration, or LCIC refuses the credentials; 3 LCIC (with --until-idle) or the database is out of reach.

Examples:
  $ lcic-archive sweep && lcic-archive run --until-idle
  $ lcic-archive run
`,
    )
    .action(async ({ untilIdle = false, json }: { untilIdle?: boolean; json?: boolean }) => {
      const config = readConfigWithCredentials()
      endAfter(STOP_WITHIN_MS)
      await using session = await openDatabase(config)
      // A worker that runs for months tells its log, one line a room.
      const progress = untilIdle || process.stderr.isTTY ? showProgress(config) : undefined
      using context = archiveContext(config, session.db, progress?.observe)
      const startedAt = performance.now()
      const unarchived = unarchivedRooms()
      const done = await work(context, {
        until: untilIdle ? 'idle' : 'stopped',
        signal: interruption,
        onReport(report) {
          progress?.report(report)
          // A worker without an end would remember them without end.
          if (untilIdle) unarchived.note(report)
        },
      }).finally(() => progress?.stop())
      const durationMs = performance.now() - startedAt
      const left = untilIdle && { not_archived: unarchived.size(), not_reread: unarchived.rereads() }
      if (json) printJson({ ...workSummary(done), ...left, duration_ms: Math.round(durationMs) })
      else {
        print(workText(done, durationMs, untilIdle ? unarchived.size() : undefined))
        unarchived.print()
      }
      if (interruption.aborted) setExitCode(ExitCode.done)
      else if (unarchived.isUnreachable()) setExitCode(ExitCode.unreachable)
      else setExitCode(unarchived.size() > 0 ? ExitCode.incomplete : ExitCode.done)
    })
}

/** Rooms that are named one by one, when they are not archived. */
const MOST_NAMED = 20

/** The rooms that were put off and not archived since. */
export interface UnarchivedRooms {
  note(report: RoomReport): void
  size(): number
  /** How many of those that are archived were to be read once more, and could not be. */
  rereads(): number
  /** There are some of either, and LCIC never answered. */
  isUnreachable(): boolean
  /** Names them, and says why. */
  print(): void
}

export function unarchivedRooms(): UnarchivedRooms {
  const rooms = new Map<bigint, string>()
  const rereads = new Map<bigint, string>()
  let isReached = false
  return {
    note(report) {
      const { roomId, outcome, state, code, message = '' } = report
      if (outcome === 'busy') return
      if (!isUnreachable(code)) isReached = true
      rooms.delete(roomId)
      rereads.delete(roomId)
      if (!isDone(report)) (state === 'archived' ? rereads : rooms).set(roomId, message)
    },
    size: () => rooms.size,
    rereads: () => rereads.size,
    isUnreachable: () => rooms.size + rereads.size > 0 && !isReached,
    print() {
      printSome([...rooms.values()])
      if (rereads.size > 0) print(`${counted(rereads.size, 'archived room')} could not be read once more:`)
      printSome([...rereads.values()])
    },
  }
}

function printSome(messages: readonly string[]): void {
  for (const message of messages.slice(0, MOST_NAMED)) print(`  ${printable(message)}`)
  if (messages.length > MOST_NAMED) print(`  … and ${messages.length - MOST_NAMED} more: lcic-archive status`)
}

/**
 * `1,000 rooms archived, 2 not yet; 1,003 requests, 24,000 members in 52.4 s.`
 *
 * @param notYet rooms that were put off; a worker without an end knows only of attempts
 */
export function workText(
  { archived, expired, putOff, requests, records }: WorkDone,
  durationMs: number,
  notYet?: number,
): string {
  const unused = expired > 0 ? `, ${expired.toLocaleString('en-US')} expired unused` : ''
  const later =
    notYet === undefined ? `, ${counted(putOff, 'attempt')} put off` : `, ${notYet.toLocaleString('en-US')} not yet`
  const others = `${unused}${(notYet ?? putOff) > 0 ? later : ''}`
  const cost = `${counted(requests, 'request')}, ${counted(records, 'member')} in ${seconds(durationMs)}`
  return `${counted(archived, 'room')} archived${others}; ${cost}.`
}
