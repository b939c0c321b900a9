import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { type Cost, jsonReport, type StepCosts, textReport } from './report'
import { serverCpuMs } from './server-cpu'
import type { ArchiveTask, CopyTask, Measured, Source, SourceState } from './steps'

/**
 * A large room, from the source's answers to committed rows, beside the bare COPY of the same rows into a table without
 * keys and indexes on the same server: what archiving costs above the least that writing can cost.
 *
 * Each measured process is started for its step and ends with it. Steps alternate, so that other work on the machine
 * weighs on all of them alike.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      members: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  })
  const members = Number(values.members)
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  try {
    const costs = await measureSteps({ directory, members, rounds: Number(values.rounds) })
    process.stdout.write(values.json ? jsonReport(costs, members) : textReport(costs, members))
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** PostgreSQL's own, fsync included, with the memory of a small server. Checkpoints are made between the steps. */
const serverSettings = { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h' }

async function measureSteps({
  directory,
  members,
  rounds,
}: {
  directory: string
  members: number
  rounds: number
}): Promise<StepCosts> {
  const database = await openEmbeddedDatabase({ directory, settings: serverSettings })
  const { url: databaseUrl, dataDirectory } = database
  const sourceProcess = fork(program('source-process'), [String(members)])
  const admin = new pg.Client(databaseUrl)
  try {
    const source = await answerOf<Source>(sourceProcess)
    await createTables(databaseUrl)
    await admin.connect()

    const costs: StepCosts = new Map()
    const measure = async (step: string, expected: string, run: () => Promise<Measured>) => {
      const cost = await costOnServer(admin, dataDirectory, run)
      if (cost.outcome !== expected || cost.rows !== members) {
        throw new Error(`${step}: ${cost.outcome} ${cost.rows} rows, expected ${expected} ${members}`)
      }
      costs.set(step, [...(costs.get(step) ?? []), cost])
    }
    const become = async (state: SourceState) => {
      sourceProcess.send(state)
      await answerOf<SourceState>(sourceProcess)
    }
    const archive = () => runProcess<ArchiveTask>('archive-process', { ...source, databaseUrl })
    const file = join(directory, 'rows.txt')
    const copy = () => runProcess<CopyTask>('copy-process', { databaseUrl, file })

    // Nothing of the first time counts: the server's files are new, and the rows to copy are yet to be made.
    await become('documented')
    await archive()
    await writeRows(admin, file)

    for (let round = 1; round <= rounds; round++) {
      await empty(admin)
      await measure(steps.copy, 'copied', copy)
      await become('documented')
      await measure(steps.first, 'archived', archive)
      // As autovacuum does before a room is read again; else the first reader would pay for writing hint bits.
      await admin.query('vacuum (analyze) archive.member_records, archive.raw_pages')
      await measure(steps.unchanged, 'unchanged', archive)
      await become('changed')
      await measure(steps.changed, 'archived', archive)
      await empty(admin)
      await measure(steps.copy, 'copied', copy)
      await become('undocumented')
      await measure(steps.undocumented, 'archived', archive)
    }
    return costs
  } finally {
    sourceProcess.kill()
    await admin.end().catch(() => undefined)
    await database.close()
  }
}

const steps = {
  copy: 'bare COPY',
  first: 'first archiving',
  undocumented: 'the same, new fields in 4 %',
  unchanged: 're-read, unchanged',
  changed: 're-read, 1 % changed',
}

async function createTables(url: string): Promise<void> {
  const db = connect({ url, max: 1 })
  await migrateUp(db)
  await db.destroy()
}

async function empty(admin: pg.Client): Promise<void> {
  await admin.query(`
    truncate archive.jobs, archive.rooms, archive.member_records, archive.raw_pages, archive.runs;
    drop table if exists bare_rows;
    create table bare_rows as table archive.member_records with no data`)
}

async function writeRows(admin: pg.Client, file: string): Promise<void> {
  await pipeline(admin.query(copyTo('copy archive.member_records to stdout')), createWriteStream(file))
}

/** What a step costs the server, beside what its process tells. */
async function costOnServer(admin: pg.Client, dataDirectory: string, run: () => Promise<Measured>): Promise<Cost> {
  await admin.query('checkpoint')
  const walBefore = await walPosition(admin)
  const cpuBefore = await serverCpuMs(dataDirectory)
  const measured = await run()
  const cpuAfter = await serverCpuMs(dataDirectory)
  const walBytes = (await walPosition(admin)) - walBefore
  const serverCpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore
  return { ...measured, walBytes, ...(serverCpu !== undefined && { serverCpuMs: serverCpu }) }
}

async function walPosition(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query(`select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes`)
  return Number(rows[0].bytes)
}

async function runProcess<Task>(name: string, task: Task): Promise<Measured> {
  const child = fork(program(name), [JSON.stringify(task)])
  const ended = once(child, 'exit')
  const measured = await answerOf<Measured>(child)
  await ended
  return measured
}

/** The next message of a child; one that ends instead has said why. */
async function answerOf<Message>(child: ChildProcess): Promise<Message> {
  const ended = new AbortController()
  const end = () => ended.abort(new Error(`A process of the benchmark ended with ${child.exitCode}`))
  child.once('exit', end)
  try {
    const [message]: Message[] = await once(child, 'message', { signal: ended.signal })
    return message as Message
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    child.off('exit', end)
  }
}

/** The others are bundled beside this one. */
function program(name: string): string {
  return join(__dirname, `${name}.cjs`)
}

void main()
