import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type Kysely, sql } from 'kysely'
import { pino } from 'pino'
import { createBudget } from '../../lib/archive/budget'
import type { ArchiveContext } from '../../lib/archive/context'
import { sweep } from '../../lib/archive/sweep'
import { work } from '../../lib/archive/work'
import { systemClock } from '../../lib/clock'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { migrateUp } from '../../lib/db/migrate'
import { retryRooms } from '../../lib/db/retry-rooms'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { createLcic } from '../../lib/lcic/client'
import { School, startSimulator } from '../../lib/simulator'
import { countStatements } from './count-statements'

/** What a room of one page costs the database in the ordinary course of things: statements, and bytes of WAL. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rooms: { type: 'string', default: '400' }, members: { type: 'string', default: '30' } },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  // A page written whole after a checkpoint would be counted for the step that comes by it first.
  const settings = { full_page_writes: 'off', checkpoint_timeout: '1h', max_wal_size: '4GB', autovacuum: 'off' }
  const database = await openEmbeddedDatabase({ directory, settings })
  const db = connect({ url: database.url })
  await migrateUp(db)
  const school = new School()
  const rooms = Array.from({ length: Number(values.rooms) }, () => school.addRoom({ members: Number(values.members) }))
  const simulator = await startSimulator({ school, requestsPerSecond: 0 })
  const lcic = createLcic({ endpoint: new URL(simulator.endpoint), credentials: () => simulator.credentials })
  const context: ArchiveContext = {
    db,
    lcic,
    budget: createBudget({ db, lcic, clock: systemClock, requestsPerSecond: 100_000 }),
    clock: systemClock,
    now: () => databaseTime,
    policy: { giveUpAfterMs: 86_400_000, rereadAfterMs: 86_400_000 },
    log: pino({ level: 'silent' }),
  }
  const sweepAll = () => sweep(context, { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * 3_600_000 })
  const archiveAll = async () => {
    await work(context, { until: 'nothing_due' })
  }
  const makeDue = () => retryRooms(db, { rooms: rooms.map(({ roomId }) => roomId), now: databaseTime })
  const results: Cost[] = []
  const measure = async (step: string, action: () => Promise<unknown>) => {
    results.push({ step, ...(await costOf(db, action)) })
  }
  try {
    await measure('found by a sweep', sweepAll)
    await measure('seen by a later sweep', sweepAll)
    await measure('archived', archiveAll)
    await makeDue()
    await measure('read again, unchanged', archiveAll)
    for (const room of rooms) Object.assign(room.members[1] ?? {}, { HandUps: 99 })
    await makeDue()
    await measure('read again, one member changed', archiveAll)
    process.stdout.write(`${rooms.length} rooms of ${values.members} members\n${report(results, rooms.length)}\n`)
  } finally {
    lcic.close()
    await simulator.close()
    await db.destroy()
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

interface Cost {
  readonly step: string
  readonly statements: number
  readonly walBytes: number
  readonly ms: number
}

async function costOf(db: Kysely<Database>, action: () => Promise<unknown>): Promise<Omit<Cost, 'step'>> {
  const statements = countStatements()
  const before = await walPosition(db)
  const startedAt = performance.now()
  await action()
  const ms = performance.now() - startedAt
  // The first of them read where the WAL was.
  const sent = statements() - 1
  return { statements: sent, ms, walBytes: (await walPosition(db)) - before }
}

async function walPosition(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`select (pg_current_wal_lsn() - '0/0')::float8 as bytes`.execute(db)
  return rows[0]?.bytes ?? 0
}

function report(results: readonly Cost[], rooms: number): string {
  const table = new Table({
    head: ['per room', 'statements', 'WAL bytes', 'ms'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const { step, statements, walBytes, ms } of results) {
    const perRoom = (value: number, digits: number) => (value / rooms).toFixed(digits)
    table.push([step, perRoom(statements, 2), perRoom(walBytes, 0), perRoom(ms, 1)])
  }
  return table.toString()
}

void main()
