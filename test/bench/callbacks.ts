import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { signCallback } from '../../lib/lcic/callback'
import { School, startSimulator } from '../../lib/simulator'
import type { CallsMade, CallTask } from './callbacks-task'
import { callbackKey, type ServeProcess, startServe } from './serve-process'
import { serverCpuMs } from './server-cpu'

/**
 * What `serve` makes of 2,000 callbacks a second for 10 s, which come whether or not those before have been answered: all of
 * different rooms, one and the same again and again, and forged ones; what they cost, and how many requests to LCIC they
 * cause. Database, simulator, caller and `serve` share the machine.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '2000' },
      seconds: { type: 'string', default: '10' },
      mixes: { type: 'string', default: 'different rooms,one replayed,forged,each in turn' },
      json: { type: 'boolean', default: false },
    },
  })
  const [perSecond, seconds] = [Number(values.rate), Number(values.seconds)]
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory })
  const db = connect({ url: database.url, max: 1 })
  await migrateUp(db)
  const results: Result[] = []
  try {
    for (const mix of values.mixes.split(',')) {
      process.stderr.write(`${mix} …\n`)
      await sql`truncate archive.jobs, archive.callbacks, archive.runs, archive.rooms, archive.member_records`.execute(
        db,
      )
      const school = new School()
      const simulator = await startSimulator({ school, frozen: true, latencyMs: { min: 20, max: 80 } })
      const serve = await startServe({ databaseUrl: database.url, simulator, sweeps: false })
      try {
        const caller = startCaller(serve)
        // What runs for the first time takes several times as long, here and there; and connections are made.
        const { roomId: first } = school.addRoom({ members: 25 })
        await caller.call({ perSecond, seconds: 3, bodies: [bodyOf(first), forged()] })
        const rowsBefore = await rowsOf(db)
        const before = { serve: await serve.cost(), server: await serverCpuMs(database.dataDirectory) }
        const made = await caller.call({ perSecond, seconds, bodies: bodiesOf(mix, school, perSecond * seconds) })
        const after = { serve: await serve.cost(), server: await serverCpuMs(database.dataDirectory) }
        caller.stop()
        // What has been asked for by then belongs to the flood.
        await delay(2000)
        const rowsAfter = await rowsOf(db)
        results.push({
          mix,
          ...made,
          requests: simulator.requests.filter(({ roomId }) => roomId !== first).length,
          callbackRows: rowsAfter.callbackRows - rowsBefore.callbackRows,
          jobRows: rowsAfter.jobRows - rowsBefore.jobRows,
          serveCpuSeconds: after.serve.cpuSeconds - before.serve.cpuSeconds,
          serverCpuSeconds: ((after.server ?? 0) - (before.server ?? 0)) / 1000,
          rssMegabytes: after.serve.rssBytes / 1024 / 1024,
        })
      } finally {
        await serve.stop()
        await simulator.close()
      }
    }
  } finally {
    await db.destroy()
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `${report(results)}\n`)
}

interface Result extends CallsMade {
  readonly mix: string
  /** To LCIC. */
  readonly requests: number
  readonly callbackRows: number
  readonly jobRows: number
  readonly serveCpuSeconds: number
  readonly serverCpuSeconds: number
  readonly rssMegabytes: number
}

function bodiesOf(mix: string, school: School, count: number): string[] {
  const ofRooms = () => Array.from({ length: count }, () => bodyOf(school.addRoom({ members: 25 }).roomId))
  switch (mix) {
    case 'different rooms':
      return ofRooms()
    case 'one replayed':
      return [bodyOf(school.addRoom({ members: 25 }).roomId)]
    case 'forged':
      return [forged()]
    default: {
      const [replayed = ''] = bodiesOf('one replayed', school, count)
      return ofRooms().map((body, index) => [body, replayed, forged()][index % 3] ?? body)
    }
  }
}

function bodyOf(roomId: bigint, key = callbackKey): string {
  const Timestamp = Math.floor(Date.now() / 1000)
  const ExpireTime = Timestamp + 600
  return JSON.stringify({
    Timestamp,
    SdkAppId: 1400000001,
    ExpireTime,
    Sign: signCallback(key, ExpireTime),
    EventType: 'RoomEnd',
    EventData: { RoomId: Number(roomId), EndTime: Timestamp },
  })
}

function forged(): string {
  return bodyOf(300_000_001n, 'another key')
}

/** A process that calls back; it keeps its connections from one call to the next. */
function startCaller({ url }: ServeProcess) {
  const caller = fork(join(import.meta.dirname ?? __dirname, 'call-process.cjs'))
  return {
    async call(task: Omit<CallTask, 'url'>): Promise<CallsMade> {
      caller.send({ ...task, url: `${url}/callback` } satisfies CallTask)
      const [made] = await once(caller, 'message')
      return made as CallsMade
    },
    stop: () => caller.disconnect(),
  }
}

async function rowsOf(db: Kysely<Database>): Promise<{ callbackRows: number; jobRows: number }> {
  const { rows } = await sql<{ callbackRows: number; jobRows: number }>`
    select (select count(*)::int from archive.callbacks) as "callbackRows",
      (select count(*)::int from archive.jobs) as "jobRows"`.execute(db)
  return rows[0] ?? { callbackRows: 0, jobRows: 0 }
}

function report(results: readonly Result[]): string {
  const columns: readonly [string, (result: Result) => string | number][] = [
    ['callbacks', ({ mix }) => mix],
    [
      'answers',
      ({ statuses }) =>
        Object.entries(statuses)
          .map(([status, count]) => `${count} × ${status}`)
          .join(', '),
    ],
    ['a second', ({ perSecond }) => Math.round(perSecond)],
    ['p50 ms', ({ p50Ms }) => p50Ms.toFixed(1)],
    ['p99 ms', ({ p99Ms }) => p99Ms.toFixed(1)],
    ['p99.9 ms', ({ p999Ms }) => p999Ms.toFixed(1)],
    ['most ms', ({ mostMs }) => mostMs.toFixed(1)],
    ['caller late ms', ({ latestStartMs }) => latestStartMs.toFixed(1)],
    ['requests to LCIC', ({ requests }) => requests],
    ['callbacks stored', ({ callbackRows }) => callbackRows],
    ['jobs', ({ jobRows }) => jobRows],
    ['CPU s serve', ({ serveCpuSeconds }) => serveCpuSeconds.toFixed(1)],
    ['PostgreSQL', ({ serverCpuSeconds }) => serverCpuSeconds.toFixed(1)],
    ['caller', ({ cpuMs }) => (cpuMs / 1000).toFixed(1)],
    ['RSS MB', ({ rssMegabytes }) => Math.round(rssMegabytes)],
  ]
  const table = new Table({
    head: columns.map(([title]) => title),
    colAligns: columns.map((_, index) => (index < 2 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  })
  for (const result of results) table.push(columns.map(([, value]) => value(result)))
  return table.toString()
}

void main()
