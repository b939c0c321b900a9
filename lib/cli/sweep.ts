import { Command } from 'commander'
import type { Span } from '../archive/list-rooms'
import { sweepSummary } from '../archive/summaries'
import type { SweepReport } from '../archive/sweep'
import { sweepAndDescribe } from '../archive/sweep-and-describe'
import type { Config } from '../config'
import { appsWithoutRooms } from '../db/known-rooms'
import { UsageError } from '../errors'
import { isUnreachable } from '../lcic/errors'
import { moment } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printable, printJson, table } from './output'
import { showListing } from './progress'
import { archiveContext, openDatabase, readConfigWithCredentials } from './session'
import { interruption } from './signals'

interface SweepArguments {
  readonly from?: Date
  readonly to?: Date
  readonly json?: boolean
}

export function sweepCommand(): Command {
  return new Command('sweep')
    .description('find the rooms that have ended, and make their jobs due')
    .option(
      '--from <time>',
      'look from then on: ISO 8601 (UTC, if it names no zone), or so long ago, such as 36h',
      moment,
    )
    .option('--to <time>', 'with --from: up to then (default: now)', moment)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
LCIC_SDK_APP_IDS says which apps. Without --from it looks back ARCHIVE_SWEEP_LOOKBACK (76h) from the end of the last full
sweep, however long ago that was. Rooms that are planned or in class get a job for when they are planned to end. Nothing is
archived yet: that is done by \`run\`. Rooms that were archived lately are asked about for who taught them (DescribeRoom).

Exit code: 0 all rooms were seen, 1 an app could not be swept whole, 2 usage or configuration, 3 LCIC or the database is
out of reach.

Examples:
  $ LCIC_SDK_APP_IDS=1400000001 lcic-archive sweep
  $ lcic-archive sweep --from 7d --json
`,
    )
    .action(async ({ from, to, json }: SweepArguments) => {
      const config = readConfigWithCredentials()
      const sdkAppIds = requireApps(config)
      if (to && !from) throw new UsageError('E_USAGE', '--to needs --from, too.')
      const span = from && spanOf(from, to)
      await using session = await openDatabase(config)
      const listing = showListing(config.logLevel)
      using context = archiveContext(config, session.db, listing.observe)
      const { sweepLookbackMs: lookbackMs } = config
      const options = { sdkAppIds, lookbackMs, ...(span && { span }), signal: interruption }
      const { reports, described } = await sweepAndDescribe(context, options).finally(listing.stop)
      if (json) {
        printJson({ apps: reports.map(sweepSummary), described })
      } else {
        printSweeps(reports)
        const listed = reports.flatMap(({ sdkAppId, failure }) => (failure ? [] : [sdkAppId]))
        for (const sdkAppId of await appsWithoutRooms(session.db, listed))
          print(`App ${sdkAppId}: LCIC has never listed a room of it. Check LCIC_SDK_APP_IDS.`)
        if (described > 0) print(`LCIC was asked what is known of ${counted(described, 'room')}.`)
      }
      setExitCode(exitCodeOfSweeps(reports))
    })
}

/** @throws {UsageError} where no app is configured */
export function requireApps({ sdkAppIds }: Config): readonly bigint[] {
  if (sdkAppIds.length > 0) return sdkAppIds
  throw new UsageError(
    'E_CONFIG',
    'The environment is not right:\n  LCIC_SDK_APP_IDS: is not set; it names the apps to sweep, for example 1400000001,1400000002',
  )
}

/** @throws {UsageError} where it ends before it begins */
export function spanOf(from: Date, until: Date | undefined): Span {
  const now = new Date()
  // What is to come has not ended.
  const to = until && until < now ? until : now
  if (from < to) return { from, to }
  throw new UsageError(
    'E_USAGE',
    `--from ${printable(from)} is not before ${until ? `--to ${printable(until)}` : 'now'}.`,
  )
}

export function printSweeps(reports: readonly SweepReport[]): void {
  print(
    table(reports, [
      { title: 'app', value: ({ sdkAppId }) => sdkAppId, align: 'right' },
      { title: 'from', value: ({ from }) => printable(from).replace(/\.\d+Z$/, 'Z') },
      { title: 'to', value: ({ to }) => printable(to).replace(/\.\d+Z$/, 'Z') },
      { title: 'rooms', value: ({ rooms }) => rooms, align: 'right' },
      { title: 'ended', value: ({ endedRooms }) => endedRooms.length, align: 'right' },
      { title: 'new jobs', value: ({ newJobs }) => newJobs, align: 'right' },
      { title: 'requests', value: ({ requests }) => requests, align: 'right' },
    ]),
  )
  for (const { sdkAppId, failure } of reports) {
    if (failure) print(`App ${sdkAppId} was not swept whole: ${failure.reason}`)
  }
}

export function exitCodeOfSweeps(reports: readonly SweepReport[]): ExitCode {
  if (reports.some(({ failure }) => failure?.isRefused)) return ExitCode.usage
  if (reports.every(({ failure }) => isUnreachable(failure?.code))) return ExitCode.unreachable
  return reports.some(({ failure }) => failure) ? ExitCode.incomplete : ExitCode.done
}
