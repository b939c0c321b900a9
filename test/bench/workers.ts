import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import {
  mostInAnySlidingSecond,
  type RequestLogEntry,
  School,
  type Simulator,
  startSimulator,
} from '../../lib/simulator'
import { archivedMembers, expectedMember } from '../support/member-rows'

/**
 * Many workers, one budget: what a server that allows 20 requests a second sees of them, by its own log, while they archive
 * rooms of one page; undisturbed, with one worker stopped for 10 s in the middle, and with one killed every 2 s.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rooms: { type: 'string', default: '1000' },
      cases: { type: 'string', default: '1,8,24,8 stop,8 kill' },
      json: { type: 'boolean', default: false },
    },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory })
  const results: Result[] = []
  try {
    for (const name of values.cases.split(',')) {
      process.stderr.write(`${name} …\n`)
      results.push(await measure(name, Number(values.rooms), database.url))
    }
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `${report(results)}\n`)
}

interface Result {
  readonly name: string
  readonly requests: number
  readonly mostInASecond: number
  readonly refusals: number
  readonly seconds: number
  readonly shareUsed: number
  readonly killed: number
  readonly archivedOnce: number
  /** Rooms whose members are those of the source, in every column. */
  readonly asTheSource: number
  readonly longestLeaseMs: number
}

async function measure(name: string, rooms: number, url: string): Promise<Result> {
  const [count = '1', disturbance] = name.split(' ')
  const databaseUrl = new URL(url)
  databaseUrl.pathname = `/bench_${randomUUID().slice(0, 8)}`
  const admin = connect({ url, max: 1 })
  await sql`create database ${sql.id(databaseUrl.pathname.slice(1))}`.execute(admin)
  await admin.destroy()
  const db = connect({ url: databaseUrl.toString(), max: 2 })
  await migrateUp(db)
  const school = new School()
  const simulator = await startSimulator({ school, frozen: true, latencyMs: { min: 20, max: 80 } })
  try {
    const hints = Array.from({ length: rooms }, () => ({ roomId: school.addRoom({ members: 25 }).roomId }))
    await hintRooms(db, { hints, hintedBy: 'sweep', now: databaseTime })
    const start = () => startWorker(databaseUrl.toString(), simulator)
    const workers = Array.from({ length: Number(count) }, start)
    const leases = watchLeases(db)
    const killed = await disturb(disturbance, workers, start)
    await Promise.all(workers.map(({ ended }) => ended))
    const longestLeaseMs = await leases.stop()
    const found = { archivedOnce: await archivedOnce(db), asTheSource: await countTrue(db, school) }
    return { name, ...figuresOf(simulator.requests), killed, longestLeaseMs, ...found }
  } finally {
    await simulator.close()
    await db.destroy()
  }
}

interface Worker {
  readonly process: ChildProcess
  readonly ended: Promise<unknown>
}

function startWorker(databaseUrl: string, { endpoint, credentials }: Simulator): Worker {
  const program = join(process.cwd(), 'dist', 'lcic-archive.cjs')
  const child = spawn(process.execPath, [program, 'run', '--until-idle'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      LCIC_ENDPOINT: endpoint,
      LOG_LEVEL: 'error',
      TENCENTCLOUD_SECRET_ID: credentials.secretId,
      TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr?.on('data', (text: Buffer) => /"level"|lcic-archive:/.test(String(text)) && process.stderr.write(text))
  return { process: child, ended: once(child, 'close') }
}

/** @returns how many were killed */
async function disturb(kind: string | undefined, workers: Worker[], start: () => Worker): Promise<number> {
  let killed = 0
  if (kind === 'stop') {
    await delay(15_000)
    workers[0]?.process.kill('SIGSTOP')
    await delay(10_000)
    workers[0]?.process.kill('SIGCONT')
  }
  for (let turn = 0; kind === 'kill'; turn++) {
    await delay(2000)
    const index = turn % workers.length
    const victim = workers[index]
    if (!victim || victim.process.exitCode !== null) break
    victim.process.kill('SIGKILL')
    await victim.ended
    killed++
    workers[index] = start()
  }
  return killed
}

/** How long the same holder has been seen to have a room. */
function watchLeases(db: Kysely<Database>): { stop(): Promise<number> } {
  const seen = new Map<string, { since: number; last: number }>()
  let stopped = false
  const watched = (async () => {
    while (!stopped) {
      const { rows } = await sql<{ leased_by: string }>`
        select leased_by from archive.jobs where leased_by is not null and lease_until > now()`.execute(db)
      const now = performance.now()
      for (const { leased_by } of rows) seen.set(leased_by, { since: seen.get(leased_by)?.since ?? now, last: now })
      await delay(200)
    }
  })()
  return {
    async stop() {
      stopped = true
      await watched
      return Math.max(0, ...[...seen.values()].map(({ since, last }) => last - since))
    },
  }
}

function figuresOf(log: readonly RequestLogEntry[]) {
  const requests = log.filter(({ action }) => action === 'DescribeRoomStatistics')
  const arrivals = requests.map(({ arrivedAtMs }) => arrivedAtMs).sort((a, b) => a - b)
  const spanMs = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)
  return {
    requests: requests.length,
    mostInASecond: mostInAnySlidingSecond(requests),
    refusals: requests.filter(({ outcome }) => outcome === 'RequestLimitExceeded').length,
    seconds: spanMs / 1000,
    shareUsed: (requests.length - 1) / ((spanMs / 1000) * 20),
  }
}

async function archivedOnce(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ rooms: number }>`
    select count(*)::int as rooms from archive.jobs j
    join archive.rooms r using (room_id)
    where j.state = 'archived' and r.revision = 1
      and (select count(*) from archive.runs u where u.room_id = j.room_id and u.outcome = 'archived') = 1
      and (select count(*) from archive.member_records m where m.room_id = j.room_id) = r.total`.execute(db)
  return rows[0]?.rooms ?? 0
}

async function countTrue(db: Kysely<Database>, school: School): Promise<number> {
  let rooms = 0
  for (const { roomId, members } of school.rooms.values()) {
    const archived = await archivedMembers(db, roomId)
    const isTrue = members.every((record) => isDeepStrictEqual(archived.get(record.UserId), expectedMember(record)))
    if (isTrue && archived.size === members.length) rooms++
  }
  return rooms
}

function report(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'workers',
      'requests',
      'most in any second',
      'refused',
      'seconds',
      '% of 20/s',
      'killed',
      'archived once',
      'as the source',
      'longest lease s',
    ],
    colAligns: ['left', ...Array<'right'>(9).fill('right')],
    style: { head: [], border: [], compact: true },
  })
  for (const result of results) {
    table.push([
      result.name,
      result.requests,
      result.mostInASecond,
      result.refusals,
      result.seconds.toFixed(1),
      (result.shareUsed * 100).toFixed(1),
      result.killed,
      result.archivedOnce,
      result.asTheSource,
      (result.longestLeaseMs / 1000).toFixed(1),
    ])
  }
  return table.toString()
}

void main()
