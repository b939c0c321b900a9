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
import { School, type SimulatedRoom, type Simulator, startSimulator } from '../../lib/simulator'
import { callbackKey, type ServeProcess, startServe } from './serve-process'

/**
 * How long after its statistics are ready a class is archived by `serve`, in real time: where LCIC calls back once they are
 * ready, and where that comes first and they are ready half a minute to five minutes later. No sweeps help.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rooms: { type: 'string', default: '200' },
      scenarios: { type: 'string', default: Object.keys(scenarios).join(',') },
      json: { type: 'boolean', default: false },
    },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory })
  const db = connect({ url: database.url, max: 1 })
  await migrateUp(db)
  const results: Result[] = []
  try {
    for (const name of values.scenarios.split(',')) {
      const scenario = scenarios[name]
      if (!scenario) throw new Error(`There is no scenario ${name}: ${Object.keys(scenarios).join(', ')}`)
      process.stderr.write(`${name} …\n`)
      // What was learnt of other rooms is no help either.
      await sql`truncate archive.jobs, archive.rooms, archive.member_records, archive.raw_pages, archive.runs`.execute(
        db,
      )
      const school = new School()
      const simulator = await startSimulator({ school, frozen: true, latencyMs: { min: 20, max: 80 } })
      const serve = await startServe({ databaseUrl: database.url, simulator, sweeps: false })
      try {
        const rooms = await hold(school, serve, Number(values.rooms), scenario)
        results.push({ name, ...(await freshnessOf(db, rooms, simulator)) })
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

interface Scenario {
  /** Over how many seconds the classes end. */
  readonly spreadSeconds: number
  /** Seconds from the end of a class, which is when it is called back, until its statistics are ready; of so many, this one. */
  readyAfter(share: number): number
  /** What they are to keep to, 95 of 100. */
  readonly goalSeconds: number
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'callback once ready': { spreadSeconds: 30, readyAfter: () => 0, goalSeconds: 2 },
  'ready 30 s to 5 min after the callback': {
    spreadSeconds: 60,
    // In no order, evenly spread.
    readyAfter: (share) => 30 + 270 * ((share * 89) % 1),
    goalSeconds: 65,
  },
}

interface Result {
  readonly name: string
  readonly rooms: number
  /** Seconds from when the statistics were ready until they were in the archive. */
  readonly p50: number
  readonly p95: number
  readonly most: number
  readonly requestsPerRoom: number
  readonly goalSeconds: number
}

type Held = Scenario & { readonly rooms: readonly SimulatedRoom[] }

/** Lets classes end, one after the other, and calls back as each does; until all are archived. */
async function hold(school: School, serve: ServeProcess, count: number, scenario: Scenario): Promise<Held> {
  const beginsAt = Date.now() / 1000 + 2
  const rooms = Array.from({ length: count }, (_, index) => {
    const endAt = beginsAt + (index / count) * scenario.spreadSeconds
    const readyAt = endAt + scenario.readyAfter(index / count)
    return school.addRoom({ members: 25, scheduledEndAt: Math.floor(endAt), realEndAt: endAt, readyAt })
  })
  for (const room of rooms) {
    await delay((room.realEndAt ?? 0) * 1000 - Date.now() + 5)
    const { status } = await fetch(`${serve.url}/callback`, { method: 'POST', body: bodyOf(room) })
    if (status !== 200) throw new Error(`A callback was answered with ${status}.`)
  }
  return { ...scenario, rooms }
}

function bodyOf({ roomId }: SimulatedRoom): string {
  const Timestamp = Math.floor(Date.now() / 1000)
  const ExpireTime = Timestamp + 600
  const Sign = signCallback(callbackKey, ExpireTime)
  return JSON.stringify({ Timestamp, ExpireTime, Sign, EventType: 'RoomEnd', EventData: { RoomId: Number(roomId) } })
}

async function freshnessOf(db: Kysely<Database>, { rooms, goalSeconds }: Held, { requests }: Simulator) {
  const ids = rooms.map(({ roomId }) => String(roomId))
  for (;;) {
    const { rows } = await sql<{ room_id: bigint; archived_at: Date }>`
      select room_id, archived_at from archive.rooms where room_id = any (${ids}::bigint[])`.execute(db)
    const archivedAt = new Map(rows.map(({ room_id, archived_at }) => [room_id, archived_at.getTime() / 1000]))
    if (archivedAt.size < rooms.length) {
      await delay(1000)
      continue
    }
    const lags = rooms.map(({ roomId, readyAt }) => (archivedAt.get(roomId) ?? 0) - readyAt).sort((a, b) => a - b)
    const quantile = (share: number) => lags[Math.min(lags.length - 1, Math.floor(share * lags.length))] ?? 0
    return {
      rooms: rooms.length,
      p50: quantile(0.5),
      p95: quantile(0.95),
      most: quantile(1),
      requestsPerRoom: requests.length / rooms.length,
      goalSeconds,
    }
  }
}

function report(results: readonly Result[]): string {
  const table = new Table({
    head: ['', 'rooms', 'p50 s', 'p95 s', 'most s', 'goal, p95 s', 'requests a room'],
    colAligns: ['left', ...Array<'right'>(6).fill('right')],
    style: { head: [], border: [], compact: true },
  })
  for (const { name, rooms, p50, p95, most, goalSeconds, requestsPerRoom } of results) {
    table.push([name, rooms, p50.toFixed(2), p95.toFixed(2), most.toFixed(2), goalSeconds, requestsPerRoom.toFixed(2)])
  }
  return table.toString()
}

void main()
