import { Command } from 'commander'
import type { RoomReport } from '../archive/archive-room'
import { type BackfillPlan, planBackfill } from '../archive/backfill'
import type { Span } from '../archive/list-rooms'
import { sweepSummary, workSummary } from '../archive/summaries'
import { sweep } from '../archive/sweep'
import { work } from '../archive/work'
import type { Config } from '../config'
import { countDue, countUnsettled, type Unsettled } from '../db/count-rooms'
import { databaseTime } from '../db/instant'
import { moment } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printJson } from './output'
import { showListing, showProgress } from './progress'
import { unarchivedRooms, workText } from './run'
import { archiveContext, type DatabaseSession, openDatabase, readConfigWithCredentials } from './session'
import { interruption } from './signals'
import { exitCodeOfSweeps, printSweeps, requireApps, spanOf } from './sweep'

interface BackfillArguments {
  readonly from: Date
  readonly to?: Date
  readonly plan?: boolean
  readonly json?: boolean
}

export function backfillCommand(): Command {
  return new Command('backfill')
    .description('archive the rooms of a past span: sweep it, then work off what is due')
    .requiredOption(
      '--from <time>',
      'from then on: ISO 8601 (UTC, if it names no zone), or so long ago, such as 30d',
      moment,
    )
    .option('--to <time>', 'up to then (default: now)', moment)
    .option('--plan', 'only say how many rooms, requests and minutes it takes')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Stop it whenever you like and start it again: what is archived stays, and is not asked for again. LCIC may delete its data
after 180 days, so the oldest rooms come first. Workers (\`run\`) may help at the same time.

Exit code: 0 all are archived, 1 some are not, 2 usage or configuration, 3 LCIC or the database is out of reach.

Examples:
  $ lcic-archive backfill --from 2026-03-01 --to 2026-04-01 --plan
  $ lcic-archive backfill --from 30d
`,
    )
    .action(async ({ from, to, plan, json }: BackfillArguments) => {
      const config = readConfigWithCredentials()
      const sdkAppIds = requireApps(config)
      const span = spanOf(from, to)
      await using session = await openDatabase(config)
      const run = { config, db: session.db, sdkAppIds, span, json: json ?? false }
      await (plan ? tellPlan(run) : backfill(run))
    })
}

interface Run {
  readonly config: Config
  readonly db: DatabaseSession['db']
  readonly sdkAppIds: readonly bigint[]
  readonly span: Span
  readonly json: boolean
}

async function tellPlan({ config, db, sdkAppIds, span, json }: Run): Promise<void> {
  const { requestsPerSecond } = config
  const listing = showListing(config.logLevel)
  using context = archiveContext(config, db, listing.observe)
  const patience = { waitMs: 0, signal: interruption }
  const plan = await planBackfill(context, { sdkAppIds, span, requestsPerSecond, patience }).finally(listing.stop)
  if (json) printJson(jsonPlan(plan))
  else print(planText(plan, requestsPerSecond))
}

async function backfill({ config, db, sdkAppIds, span, json }: Run): Promise<void> {
  const startedAt = performance.now()
  const listing = showListing(config.logLevel)
  using sweeping = archiveContext(config, db, listing.observe)
  const { sweepLookbackMs: lookbackMs } = config
  const reports = await sweep(sweeping, { sdkAppIds, lookbackMs, span, signal: interruption }).finally(listing.stop)

  const progress = showProgress({ ...config, rooms: await countDue(db, { now: databaseTime }) })
  using context = archiveContext(config, db, progress.observe)
  const unarchived = unarchivedRooms()
  const onReport = (report: RoomReport) => {
    progress.report(report)
    unarchived.note(report)
  }
  const done = await work(context, { until: 'settled', signal: interruption, onReport }).finally(progress.stop)
  const durationMs = performance.now() - startedAt
  const left = await countUnsettled(db, [...new Set(reports.flatMap(({ endedRooms }) => endedRooms))])
  const notArchived = left.reduce((sum, { rooms }) => sum + rooms, 0)
  if (json) {
    const apps = reports.map(sweepSummary)
    printJson({ apps, ...workSummary(done), not_archived: notArchived, duration_ms: Math.round(durationMs) })
  } else {
    printSweeps(reports)
    print(workText(done, durationMs, unarchived.size()))
    unarchived.print()
    if (notArchived > 0) print(leftText(notArchived, left))
  }
  interruption.throwIfAborted()
  setExitCode(exitCodeOf(exitCodeOfSweeps(reports), notArchived, unarchived.isUnreachable()))
}

/** `3 rooms of the span are not archived: 2 pending (not ready), 1 failed. lcic-archive status says more.` */
function leftText(count: number, left: readonly Unsettled[]): string {
  const kinds = left.map(({ state, reason, rooms }) => {
    const why = state === 'pending' ? ` (${(reason ?? 'not asked for yet').replaceAll('_', ' ')})` : ''
    return `${rooms.toLocaleString('en-US')} ${state ?? 'without a job'}${why}`
  })
  return `${counted(count, 'room')} of the span ${count === 1 ? 'is' : 'are'} not archived: ${kinds.join(', ')}. lcic-archive status says more.`
}

function exitCodeOf(swept: ExitCode, notArchived: number, isUnreachable: boolean): ExitCode {
  if (swept !== ExitCode.done || notArchived === 0) return swept
  return isUnreachable ? ExitCode.unreachable : ExitCode.incomplete
}

function planText(plan: BackfillPlan, requestsPerSecond: number): string {
  const { rooms, toArchive, settled, statisticsRequests, listRequests, durationMs } = plan
  return `${counted(rooms, 'room')} ended: ${settled.toLocaleString('en-US')} archived already or expired unused, ${toArchive.toLocaleString('en-US')} to archive.
${counted(statisticsRequests + listRequests, 'request')} (${listRequests.toLocaleString('en-US')} to list the rooms), ${minutes(durationMs)} at ${requestsPerSecond} requests a second.`
}

function minutes(durationMs: number): string {
  return durationMs < 60_000 ? 'less than a minute' : `about ${(durationMs / 60_000).toFixed(1)} minutes`
}

function jsonPlan({ rooms, settled, toArchive, listRequests, statisticsRequests, durationMs }: BackfillPlan) {
  return {
    rooms,
    settled,
    to_archive: toArchive,
    requests: listRequests + statisticsRequests,
    minutes: Math.round(durationMs / 600) / 100,
  }
}
