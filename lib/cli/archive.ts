import { Command, Option } from 'commander'
import type { RoomReport } from '../archive/archive-room'
import { archiveRooms } from '../archive/archive-rooms'
import { isArchived, roomSummary, roomsSummary } from '../archive/summaries'
import { isUnreachable } from '../lcic/errors'
import { duration, roomIds } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printJson, seconds, table } from './output'
import { showProgress } from './progress'
import { archiveContext, openDatabase, readConfigWithCredentials } from './session'
import { interruption } from './signals'

export function archiveCommand(): Command {
  return new Command('archive')
    .description('archive the rooms named, now')
    .argument('<room_id...>', 'rooms to archive, archived ones are read again', roomIds)
    .addOption(
      new Option('--wait <duration>', 'how long to keep asking while a room is not ready, or is worked on by another')
        .argParser(duration)
        .default(120_000, '2m'),
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Exit code: 0 all are archived, 1 some are not, 2 usage or configuration, 3 LCIC or the database is out of reach.
A room that is not archived keeps its job, with the reason and the time of the next try.

Examples:
  $ lcic-archive archive 312345678
  $ lcic-archive archive 312345678 312345679 --wait 10m --json
`,
    )
    .action(async (rooms: bigint[], { wait, json }: { wait: number; json?: boolean }) => {
      const config = readConfigWithCredentials()
      await using session = await openDatabase(config)
      const startedAt = performance.now()
      const progress = showProgress({ ...config, rooms: rooms.length })
      using context = archiveContext(config, session.db, progress.observe)
      const reports = await archiveRooms(
        context,
        rooms,
        { waitMs: wait, signal: interruption },
        progress.report,
      ).finally(progress.stop)
      const durationMs = performance.now() - startedAt
      if (json)
        printJson({ rooms: reports.map(roomSummary), ...roomsSummary(reports), duration_ms: Math.round(durationMs) })
      else printReports(reports, durationMs)
      setExitCode(exitCodeOf(reports))
    })
}

/** What an operator sees of rooms that were archived, or not. */
export function printReports(reports: readonly RoomReport[], durationMs: number): void {
  print(
    table(reports, [
      { title: 'room', value: ({ roomId }) => roomId, align: 'right' },
      { title: 'outcome', value: ({ outcome }) => outcome.replaceAll('_', ' ') },
      { title: 'members', value: ({ records }) => records, align: 'right' },
      { title: 'inserted', value: ({ inserted }) => inserted, align: 'right' },
      { title: 'updated', value: ({ updated }) => updated, align: 'right' },
      { title: 'removed', value: ({ removed }) => removed, align: 'right' },
      { title: 'requests', value: ({ requests }) => requests, align: 'right' },
      { title: 'took', value: (report) => seconds(report.durationMs), align: 'right' },
    ]),
  )
  for (const { message } of reports) if (message) print(message)
  print(summaryText(reports, durationMs))
}

/** `48 rooms: 43 archived, 5 not; 52 requests, 3,456 members in 3.2 s.` */
export function summaryText(reports: readonly RoomReport[], durationMs: number): string {
  const { archived, not_archived, requests, members } = roomsSummary(reports)
  const parts = [`${archived} archived`, ...(not_archived ? [`${not_archived} not`] : [])].join(', ')
  return `${counted(reports.length, 'room')}: ${parts}; ${counted(requests, 'request')}, ${counted(members, 'member')} in ${seconds(durationMs)}.`
}

/** Out of reach only if that is all that was found out. */
function exitCodeOf(reports: readonly RoomReport[]): ExitCode {
  if (reports.every(isArchived)) return ExitCode.done
  return reports.every(({ code }) => isUnreachable(code)) ? ExitCode.unreachable : ExitCode.incomplete
}
