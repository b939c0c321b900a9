import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { version } from '../../package.json'
import { systemClock } from '../clock'
import { readConfig } from '../config'
import { UsageError } from '../errors'
import type { ExportProgress, ExportReport, WrittenPart } from '../export'
import { moment } from './arguments'
import { counted, print, printable, printJson, remark, seconds, table } from './output'
import { isWanted, LINE_EVERY_MS } from './progress'
import { openDatabase } from './session'
import { interruption } from './signals'

interface ExportArguments {
  readonly out: string
  readonly from?: Date | string
  readonly to?: Date | string
  readonly json?: boolean
}

export function exportCommand(): Command {
  return new Command('export')
    .description('write attendance and classes to Parquet files, for a lakehouse; only months that changed')
    .requiredOption('--out <dir>', 'where to; created if absent', directory)
    .option('--from <time>', 'months from then on: a date in the time zone of the settings, or see sweep', dateOrMoment)
    .option('--to <time>', 'months up to then', dateOrMoment)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Writes analytics.fact_attendance, dim_room and fact_room_session, each as DIR/<table>/month=YYYY-MM/part-0.parquet by the month
that classes started in, compressed with zstd. Months that have not changed since they were written are left as they are, and
files of months that no class is left in are removed. Each file is put into its place whole, in one step: stop it whenever you
like and start it again. A role that may only read schema analytics is enough, and gets what it sees there.

Exit code: 0 all is written, 1 the disk is full, 2 usage or configuration, 3 the database is out of reach.

Examples:
  $ lcic-archive export --out /data/lcic
  $ lcic-archive export --out /data/lcic --from 2026-03-01 --to 2026-04-01 --json
`,
    )
    .action(async ({ out, from, to, json }: ExportArguments) => {
      const config = readConfig()
      if (typeof from === typeof to && from && to && from >= to) {
        throw new UsageError('E_USAGE', `--from ${printable(from)} is not before --to ${printable(to)}.`)
      }
      await using session = await openDatabase(config, { reads: 'analytics' })
      const startedAt = performance.now()
      const progress = showProgress(config.logLevel)
      const { exportTables } = await import('../export')
      const report = await exportTables({
        database: { url: session.url, ...(config.databaseCa && { ca: config.databaseCa }) },
        directory: out,
        span: { ...(from && { from }), ...(to && { to }) },
        version,
        now: systemClock.now,
        signal: interruption,
        onProgress: progress.show,
      }).finally(progress.stop)
      const durationMs = performance.now() - startedAt
      if (json) printJson(jsonOf(report, out, durationMs))
      else print(textOf(report, out, durationMs))
    })
}

function directory(text: string): string {
  if (text.trim() === '' || text.includes('\0')) throw new InvalidArgumentError('Name a directory.')
  return resolve(text)
}

/** A date alone is taken as the database's time zone has it; see {@link moment} for the rest. */
function dateOrMoment(text: string): Date | string {
  const at = moment(text)
  return /^\d{4}-\d\d-\d\d$/.test(text) ? text : at
}

function showProgress(logLevel: string | undefined) {
  let latest: ExportProgress | undefined
  const startedAt = performance.now()
  const tell = () => {
    if (latest && isWanted(logLevel)) remark(progressText(latest, performance.now() - startedAt))
    latest = undefined
  }
  const timer = setInterval(tell, LINE_EVERY_MS)
  return {
    show(progress: ExportProgress) {
      latest = progress
    },
    stop: () => clearInterval(timer),
  }
}

function progressText({ table, month, rows, expectedRows }: ExportProgress, elapsedMs: number): string {
  const rate = Math.round((rows / elapsedMs) * 1000).toLocaleString('en-US')
  return `${table} ${month ?? 'without a month'}: ${rows.toLocaleString('en-US')} of about ${counted(expectedRows, 'row')}, ${rate} rows/s`
}

function textOf({ written, unchanged, removed }: ExportReport, out: string, durationMs: number): string {
  const outcome = `${counted(written.length, 'file')} written to ${out}, ${unchanged.length.toLocaleString('en-US')} unchanged, ${removed.length.toLocaleString('en-US')} removed, in ${seconds(durationMs)}.`
  if (written.length === 0) return outcome
  return `${table(written, [
    { title: 'file', value: ({ path }: WrittenPart) => path },
    { title: 'rows', value: ({ rows }) => rows.toLocaleString('en-US'), align: 'right' },
    { title: 'MB', value: ({ bytes }) => (bytes / 1e6).toFixed(2), align: 'right' },
  ])}\n${outcome}`
}

function jsonOf(
  { schemaVersion, timeZone, written, unchanged, removed }: ExportReport,
  out: string,
  durationMs: number,
) {
  return {
    directory: out,
    schema_version: schemaVersion,
    time_zone: timeZone,
    rows: written.reduce((sum, { rows }) => sum + rows, 0),
    written,
    unchanged,
    removed,
    duration_ms: Math.round(durationMs),
  }
}
