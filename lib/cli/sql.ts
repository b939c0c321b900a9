import { Command } from 'commander'
import { readConfig } from '../config'
import { askReadOnly } from '../db/connect'
import { UsageError } from '../errors'
import { demoDatabase } from './demo-database'
import { counted, print, printable, printJson, remark, table } from './output'
import { openDatabase } from './session'
import { untilInterrupted } from './signals'

/** A table of more is slow to lay out, and nobody reads it. */
const MOST_ROWS = 1000

export function sqlCommand(): Command {
  return new Command('sql')
    .description('ask the archive a question, or keep its embedded database running for other programs')
    .argument(
      '[query]',
      'one query, run in a read-only transaction; without it the embedded database runs until Ctrl-C',
    )
    .option('--demo', 'ask what `demo` archived')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  $ lcic-archive sql "select course, week_start, attendance_rate from analytics.agg_course_week order by 1, 2"
  $ lcic-archive sql "select * from analytics.agg_student_course where risk_level = 'high'"
  $ lcic-archive sql          # says how to connect with psql or a BI tool, and keeps the database running
`,
    )
    .action(async (query: string | undefined, { demo, json }: { demo?: boolean; json?: boolean }) => {
      const { databaseUrl, ...config } = readConfig()
      const external = databaseUrl !== undefined && !demo
      if (query?.trim() === '') throw new UsageError('E_USAGE', 'The query is empty.')
      if (!query && external) {
        throw new UsageError('E_USAGE', 'DATABASE_URL names a database that runs by itself: give a query.')
      }
      await using session = await openDatabase(
        { ...config, ...(external && { databaseUrl }) },
        demo ? { database: demoDatabase, migrated: false } : { reads: 'either' },
      )
      const { url, embedded } = session
      if (!query) {
        remark('PostgreSQL is running until Ctrl-C. To connect:')
        print(
          demo ? `${embedded?.psqlCommand.replace(/ -d \S+$/, '')} -d ${demoDatabase}` : (embedded?.psqlCommand ?? ''),
        )
        // Without `await` the session would be closed first.
        await untilInterrupted()
        return
      }
      const { rows, fields } = await askReadOnly({ url, ...(config.databaseCa && { ca: config.databaseCa }) }, query)
      if (json) {
        const names = distinct(fields.map(({ name }) => name))
        return printJson(rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))))
      }
      const columns = fields.map(({ name }, index) => ({
        title: printable(name),
        value: (row: readonly unknown[]) => printable(row[index]),
      }))
      if (rows.length > 0) print(table(rows.slice(0, MOST_ROWS), columns))
      remark(
        rows.length > MOST_ROWS
          ? `the first ${MOST_ROWS} of ${counted(rows.length, 'row')}; --json prints all`
          : counted(rows.length, 'row'),
      )
    })
}

/** `count`, `count_2`: an object has each name once. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>()
  for (const name of names) {
    let free = name
    for (let number = 2; taken.has(free); number++) free = `${name}_${number}`
    taken.add(free)
  }
  return [...taken]
}
