import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { CompiledQuery, type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { claimDueRooms } from '../../lib/db/leases'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { CLAIM_LIMIT, measureClaim } from './measure-claim'
import { quantile } from './quantile'

/** What is in the table of jobs besides those that are due. */
type Others = 'archived' | 'pending' | 'older'

interface Case {
  readonly name: string
  readonly jobs: number
  readonly due: number
  readonly others: Others
}

const cases: readonly Case[] = [
  { name: '1,000 jobs, 500 due', jobs: 1000, due: 500, others: 'archived' },
  { name: '1,000,000 jobs, 5,000 due, the others archived', jobs: 1_000_000, due: 5000, others: 'archived' },
  { name: '1,000,000 jobs, 5,000 due, the others waiting', jobs: 1_000_000, due: 5000, others: 'pending' },
  {
    name: '1,000,000 jobs, 5,000 due, the others waiting, all of older deadlines',
    jobs: 1_000_000,
    due: 5000,
    others: 'older',
  },
]

/** What claiming costs in a small table and in large ones; claims alternate, so that other work weighs on all alike. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { claims: { type: 'string', default: '400' }, plan: { type: 'boolean', default: false } },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory, settings: { max_wal_size: '4GB' } })
  try {
    const tables = []
    for (const [index, kind] of cases.entries()) {
      process.stderr.write(`${kind.name} …\n`)
      const db = await createTable(database.url, `claim_${index}`, kind)
      tables.push({ ...kind, db, claimMs: [] as number[] })
    }
    for (let claim = -20; claim < Number(values.claims); claim++) {
      for (const { db, claimMs } of tables) {
        const ms = await measureClaim(db)
        // The first ones fill caches.
        if (claim >= 0) claimMs.push(ms)
      }
    }
    process.stdout.write(`${report(tables)}\n`)
    if (values.plan) for (const { name, db } of tables) process.stdout.write(`\n${name}\n${await planOf(db)}\n`)
    for (const { db } of tables) await db.destroy()
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function createTable(url: string, name: string, { jobs, due, others }: Case): Promise<Kysely<Database>> {
  const admin = connect({ url, max: 1 })
  await sql`create database ${sql.id(name)}`.execute(admin)
  await admin.destroy()
  const own = new URL(url)
  own.pathname = `/${name}`
  const db = connect({ url: own.toString(), max: 1 })
  await migrateUp(db)
  // Due ones lie scattered among the others, as do their deadlines, unless the others' are all older.
  await sql`
    insert into archive.jobs (room_id, state, waits, due_at, deadline_at, hinted_by, created_at, updated_at, archived_at)
    select n, case when due or ${others} <> 'archived' then 'pending' else 'archived' end, not due,
      case when due then now() - random() * interval '1 hour'
        when ${others} <> 'archived' then now() + interval '1 hour' + random() * interval '1 day' end,
      now() + random() * interval '180 days' + case when due and ${others} = 'older' then interval '180 days' else '0' end, 'sweep', now(), now(),
      case when not due and ${others} = 'archived' then now() end
    from (
      select n, n % ${Math.round(jobs / due)} = 0 as due from generate_series(1, ${jobs}::int) as n
      order by random()
    ) as job`.execute(db)
  await sql`vacuum analyze archive.jobs`.execute(db)
  await sql`checkpoint`.execute(db)
  return db
}

/** The plan of the very statement that is used. */
async function planOf(db: Kysely<Database>): Promise<string> {
  let compiled: CompiledQuery | undefined
  const capture = new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'getExecutor' || typeof value !== 'function') return value
      return () => {
        const executor = value.call(target)
        return new Proxy(executor, {
          get(inner, member) {
            const operation: unknown = Reflect.get(inner, member)
            if (typeof operation !== 'function') return operation
            if (member !== 'executeQuery') return operation.bind(inner)
            return (query: CompiledQuery) => {
              compiled = query
              return { rows: [] }
            }
          },
        })
      }
    },
  })
  await claimDueRooms(capture, { holder: 'bench', now: databaseTime, limit: CLAIM_LIMIT })
  if (!compiled) throw new Error('No statement was seen.')
  const explained = CompiledQuery.raw(`explain (analyze, buffers) ${compiled.sql}`, [...compiled.parameters])
  const { rows } = await db.executeQuery<{ 'QUERY PLAN': string }>(explained)
  return rows.map((row) => `  ${row['QUERY PLAN']}`).join('\n')
}

function report(tables: readonly (Case & { claimMs: number[] })[]): string {
  const table = new Table({
    head: ['', 'claim of 8: median ms', 'p95 ms', 'p95, small table = 1'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  const small = quantile(tables[0]?.claimMs ?? [], 0.95)
  for (const { name, claimMs } of tables) {
    const p95 = quantile(claimMs, 0.95)
    table.push([name, quantile(claimMs, 0.5).toFixed(2), p95.toFixed(2), (p95 / small).toFixed(2)])
  }
  return table.toString()
}

void main()
