import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { systemClock } from '../clock'
import { type Language, languages, readConfig, readLanguage } from '../config'
import { UsageError } from '../errors'
import { type ReportOptions, reportClass, reportOverview, type SchoolTime } from '../report'
import { moment, roomIds } from './arguments'
import { print } from './output'
import { openDatabase } from './session'
import { writeWhole } from './write-whole'

interface ReportArguments {
  readonly from?: SchoolTime
  readonly to?: SchoolTime
  readonly course?: string
  readonly out?: string
  readonly lang?: Language
  readonly names?: boolean
}

/** To stdout. */
const STDOUT = '-'

export function reportCommand(): Command {
  return new Command('report')
    .description('write a report for people, of one class or of all classes of a time, as one HTML file')
    .argument('[room_id]', 'the class', oneRoomId)
    .option('--from <time>', 'instead of one class: those that started from then on', schoolTime)
    .option('--to <time>', 'and before then (default: now)', schoolTime)
    .option('--course <course>', 'only classes of this course')
    .option('--out <file>', 'where to write it; - for stdout (default: report-….html here)')
    .addOption(new Option('--lang <language>', 'default: by LC_ALL or LANG').choices(languages))
    .option('--names', 'show the names of members, which are personal data')
    .addHelpText(
      'after',
      `
The file needs nothing else: open it in any browser, send it, print it. Without --names members are shown by their ids.
It reads schema analytics: role lcic_reader is enough, and lcic_pii_reader besides for --names.

Times without a zone are those of the school (time_zone in analytics.settings); 7d is so long ago.

Exit code: 0 done, 1 the class is not in the archive, 2 usage or configuration, 3 the database is out of reach.

Examples:
  $ lcic-archive report 312345678
  $ lcic-archive report --from 2026-03-01 --to 2026-04-01 --lang zh --out march.html
`,
    )
    .action(async (roomId: bigint | undefined, { out, lang, names, ...subject }: ReportArguments) => {
      const config = readConfig()
      const options = { language: lang ?? readLanguage(), names: names ?? false, now: systemClock.now() }
      const report = reportOf(roomId, subject, options)
      await using session = await openDatabase(config, { reads: 'analytics' })
      const page = await report.write(session.db)
      if (out === STDOUT) return void process.stdout.write(page)
      const path = resolve(out ?? report.fileName)
      await writeWhole(path, page)
      print(`${path} (${(Buffer.byteLength(page) / 1024).toFixed(0)} kB)`)
    })
}

interface Report {
  readonly fileName: string
  write(db: Parameters<typeof reportClass>[0]): Promise<string>
}

function reportOf(
  roomId: bigint | undefined,
  { from, to, course }: Pick<ReportArguments, 'from' | 'to' | 'course'>,
  options: ReportOptions,
): Report {
  if (roomId !== undefined) {
    if (from || to || course !== undefined)
      throw new UsageError('E_USAGE', 'Give a room id, or --from and --to, not both.')
    return { fileName: `report-${roomId}.html`, write: (db) => reportClass(db, roomId, options) }
  }
  if (!from) throw new UsageError('E_USAGE', 'Give a room id, or --from for all classes since then.')
  const end = to ?? { at: new Date(options.now) }
  const name = (time: SchoolTime) => ('at' in time ? time.at.toISOString() : time.local).slice(0, 10)
  return {
    fileName: `report-${name(from)}-${name(end)}.html`,
    write: (db) => reportOverview(db, { from, to: end, course }, options),
  }
}

function oneRoomId(text: string): bigint {
  const [roomId] = roomIds(text)
  if (roomId === undefined) throw new InvalidArgumentError('Give a room id.')
  return roomId
}

/** A time that names a zone, or is so long ago, is a moment; one that does not is the school's. */
function schoolTime(text: string): SchoolTime {
  const at = moment(text)
  return /^\d{4}-\d\d-\d\d([T ][\d:.]+)?$/.test(text) ? { local: text } : { at }
}
