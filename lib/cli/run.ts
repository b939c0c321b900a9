import { Command } from 'commander'
import type { RoomReport } from '../archive/archive-room'
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
      const progress = untilIdle || process.stderr.isTTY ? showProgress() : undefined
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
      const left = untilIdle && { not_archived: unarchived.size() }
      if (json) printJson({ ...jsonOf(done), ...left, duration_ms: Math.round(durationMs) })
      else {
        print(workText(done, durationMs, untilIdle ? unarchived.size() : undefined))
        unarchived.print()
      }
      if (interruption.aborted || unarchived.size() === 0) setExitCode(ExitCode.done)
      else setExitCode(unarchived.isUnreachable() ? ExitCode.unreachable : ExitCode.incomplete)
    })
}

/** Rooms that are named one by one, when they are not archived. */
const MOST_NAMED = 20

/** The rooms that were put off and not archived since. */
export interface UnarchivedRooms {
  note(report: RoomReport): void
  size(): number
  /** There are some, and LCIC never answered. */
  isUnreachable(): boolean
  /** Names them, and says why. */
  print(): void
}

export function unarchivedRooms(): UnarchivedRooms {
  const rooms = new Map<bigint, string>()
  let isReached = false
  return {
    note({ roomId, outcome, state, code, message = '' }) {
      if (outcome === 'busy') return
      if (!isUnreachable(code)) isReached = true
      if (state === 'archived' || state === 'expired') rooms.delete(roomId)
      else rooms.set(roomId, message)
    },
    size: () => rooms.size,
    isUnreachable: () => rooms.size > 0 && !isReached,
    print() {
      for (const message of [...rooms.values()].slice(0, MOST_NAMED)) print(`  ${printable(message)}`)
      if (rooms.size > MOST_NAMED) print(`  … and ${rooms.size - MOST_NAMED} more: lcic-archive status`)
    },
  }
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

export function jsonOf({ archived, expired, putOff, requests, records }: WorkDone) {
  return { archived, expired, put_off: putOff, requests, members: records }
}
