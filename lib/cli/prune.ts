import { Command } from 'commander'
import { type PruneReport, prune } from '../archive/prune'
import { type Config, readConfig } from '../config'
import { unfinishedErasures } from '../db/erasures'
import { databaseTime } from '../db/instant'
import { requireOwner } from '../db/require-owner'
import { tellLookedThrough, unfinishedText } from './erase-member'
import { counted, print, printJson, remark } from './output'
import { openDatabase } from './session'
import { interruption } from './signals'

export function pruneCommand(): Command {
  return new Command('prune')
    .description('delete what was kept long enough: raw pages, members, callbacks')
    .option('--plan', 'only say how much would be deleted')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
ARCHIVE_KEEP_RAW_PAGES says how long raw pages are kept, from when they were fetched: without them a room cannot be replayed.
ARCHIVE_KEEP_MEMBERS says how long members are kept, from the end of the class, with their earlier values and raw pages: the
room keeps its own figures, rooms.members_pruned_at says since when, and its members are not asked for again, by no command.
Both are durations such as 365d, or off, the default: kept for ever. ARCHIVE_KEEP_CALLBACKS is 90d unless it is set.

Rooms that are still to be read, or read again, are passed over. Nothing prunes by itself: run it once a day. Stop it whenever
you like; the next run goes on. It takes a login in lcic_migrator, which owns the archive.

Exit code: 0 done, 2 usage or configuration, 3 the database is out of reach.

Examples:
  $ ARCHIVE_KEEP_MEMBERS=1095d lcic-archive prune --plan
  $ lcic-archive prune
  30 3 * * * lcic-archive prune    # in a crontab: every night at half past three
`,
    )
    .action(async ({ plan = false, json }: { plan?: boolean; json?: boolean }) => {
      const config = readConfig()
      const { retention } = config
      await using session = await openDatabase(config)
      const { db } = session
      await requireOwner(db)
      const onProgress = tellLookedThrough(config.logLevel)
      const report = await prune(db, { retention, plan, now: databaseTime, signal: interruption, onProgress })
      if (json) printJson({ plan, ...asJson(report) })
      else print(pruneText(report, retention, plan))
      const unfinished = await unfinishedErasures(db)
      if (unfinished > 0) remark(unfinishedText(unfinished))
    })
}

function asJson({ members, rawPages, callbacks }: PruneReport) {
  return {
    members: members ? { rooms: members.rooms, member_records: members.members, raw_pages: members.pages } : null,
    raw_pages: rawPages ? { rooms: rawPages.rooms, raw_pages: rawPages.pages } : null,
    callbacks: callbacks ?? null,
  }
}

function pruneText(
  { members, rawPages, callbacks }: PruneReport,
  retention: Config['retention'],
  plan: boolean,
): string {
  const done = plan ? 'to be deleted' : 'deleted'
  const older = (ms: number | undefined) => `older than ${counted(Math.round((ms ?? 0) / 86_400_000), 'day')}`
  return [
    members
      ? `Members: ${counted(members.members, 'record')} and ${counted(members.pages, 'raw page')} of ${counted(members.rooms, 'room')} ${done}, ${older(retention.membersMs)}.`
      : 'Members: kept for ever (ARCHIVE_KEEP_MEMBERS is off).',
    rawPages
      ? `Raw pages: ${counted(rawPages.pages, 'raw page')} of ${counted(rawPages.rooms, 'room')} ${done}, ${older(retention.rawPagesMs)}.`
      : 'Raw pages: kept for ever (ARCHIVE_KEEP_RAW_PAGES is off).',
    callbacks === undefined
      ? 'Callbacks: kept for ever (ARCHIVE_KEEP_CALLBACKS is off).'
      : `Callbacks: ${counted(callbacks, 'callback')} ${done}, ${older(retention.callbacksMs)}.`,
    ...(plan ? ['Nothing was deleted: that is done without --plan.'] : []),
  ].join('\n')
}
