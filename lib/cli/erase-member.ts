import { Command } from 'commander'
import { type ErasureReport, eraseMember } from '../archive/erase-member'
import { systemClock } from '../clock'
import { readConfig } from '../config'
import { unfinishedErasures } from '../db/erasures'
import { databaseTime } from '../db/instant'
import { requireOwner } from '../db/require-owner'
import { UsageError } from '../errors'
import { appId } from './arguments'
import { counted, print, printJson, remark, table } from './output'
import { isWanted, LINE_EVERY_MS } from './progress'
import { openDatabase } from './session'
import { interruption } from './signals'

interface EraseArguments {
  readonly app?: bigint
  readonly plan?: boolean
  readonly json?: boolean
}

export function eraseMemberCommand(): Command {
  return new Command('erase-member')
    .description('delete all that the archive holds of a member, for good')
    .argument('<user_id>', 'as LCIC has it, or as the archive has it')
    .option('--app <sdk_app_id>', 'only as a member of this app; otherwise of every app', appId)
    .option('--plan', 'only say what would be deleted')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Deleted are the member's records and their earlier values, the same records in raw pages, and the id where rooms name it as
their teacher's, in messages, and in fields that LCIC may have added (ids of six characters or more). Figures of rooms stay;
rooms.erased says how many records a room lacks. Stored callbacks lose all but event, time, app and room. A digest
of the id is kept in archive.erasures: what LCIC sends of the member from now on is left out, whoever archives, sweeps or
replays. Workers may go on meanwhile. Stop it whenever you like and give the same id again: it goes on.

Where ARCHIVE_PERSONAL_DATA is not keep, set it and ARCHIVE_PSEUDONYM_KEY as the workers have them.

Not found, and not touched: the member's name elsewhere, such as in the name of a class; backups, logs of the server,
reports, and exported files (run \`export\` again: the rooms have changed). What was deleted leaves the disk once PostgreSQL
has vacuumed the tables. It takes a login in lcic_migrator, which owns the archive.

Exit code: 0 done, 1 not finished, 2 usage or configuration, 3 the database is out of reach.

Examples:
  $ lcic-archive erase-member stu-000123 --plan
  $ lcic-archive erase-member stu-000123
  $ lcic-archive erase-member stu-000123 --app 1400000001 --json
`,
    )
    .action(async (userId: string, { app, plan = false, json }: EraseArguments) => {
      if (userId === '') throw new UsageError('E_USAGE', 'The user id is empty.')
      const config = readConfig()
      await using session = await openDatabase(config)
      const { db } = session
      await requireOwner(db)
      const report = await eraseMember(db, {
        userId,
        sdkAppId: app,
        personalData: config.personalData,
        plan,
        now: databaseTime,
        clock: systemClock,
        signal: interruption,
        onProgress: tellLookedThrough(config.logLevel),
      })
      const unfinished = await unfinishedErasures(db)
      if (json) printJson(asJson(report, plan, unfinished))
      else printErasure(report, plan)
      if (unfinished > 0) remark(unfinishedText(unfinished))
    })
}

/** @returns what tells on stderr, every two seconds, how many rooms have been looked through */
export function tellLookedThrough(
  logLevel: string | undefined,
): (progress: { readonly rooms: number; readonly of: number }) => void {
  let toldAt = performance.now()
  return ({ rooms, of }) => {
    if (performance.now() - toldAt < LINE_EVERY_MS || !isWanted(logLevel)) return
    toldAt = performance.now()
    remark(`${rooms.toLocaleString('en-US')} of ${counted(of, 'room')} looked through`)
  }
}

/** Of those that were begun, it is not known for whom: no id is kept. */
export function unfinishedText(unfinished: number): string {
  const [are, them] = unfinished === 1 ? ['is', 'it was'] : ['are', 'they were']
  return `${counted(unfinished, 'erasure')} ${are} not finished: run erase-member again for whom ${them} begun.`
}

function printErasure(report: ErasureReport, plan: boolean): void {
  const { rooms, members, history, records, taught, mentions, callbacks } = report
  const found = [
    { what: 'member records', count: members },
    { what: 'earlier values', count: history },
    { what: 'records in raw pages', count: records },
    { what: 'rooms taught', count: taught },
    { what: 'other mentions', count: mentions },
    { what: 'callbacks cut down', count: callbacks },
  ]
  print(
    table(found, [
      { title: plan ? 'to be deleted' : 'deleted', value: ({ what }) => what },
      { title: 'count', value: ({ count }) => count.toLocaleString('en-US'), align: 'right' },
    ]),
  )
  if (plan) print(`In ${counted(rooms, 'room')}. Nothing was deleted: that is done without --plan.`)
  else print(`In ${counted(rooms, 'room')}. What LCIC sends of this member from now on is left out.`)
}

function asJson(
  { erasureId, rooms, members, history, records, taught, mentions, callbacks }: ErasureReport,
  plan: boolean,
  unfinished: number,
) {
  return {
    plan,
    ...(erasureId !== undefined && { erasure_id: erasureId }),
    rooms,
    member_records: members,
    history,
    raw_page_records: records,
    rooms_taught: taught,
    mentions,
    callbacks,
    unfinished_erasures: unfinished,
  }
}
