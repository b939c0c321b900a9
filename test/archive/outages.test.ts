import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { work } from '../../lib/archive/work'
import { systemClock } from '../../lib/clock'
import { connect } from '../../lib/db/connect'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import type { SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { expectTruth } from '../support/truth'

let archive: TestArchive
beforeEach(async () => {
  archive = await openTestArchive({ clock: systemClock, requestsPerSecond: 40, frozen: true })
})
afterEach(() => archive.close())

async function dueRooms(db: TestArchive['db'], count: number): Promise<SimulatedRoom[]> {
  const rooms = Array.from({ length: count }, () => archive.school.addRoom({ members: 12 }))
  const hints = rooms.map(({ roomId }) => ({ roomId }))
  await hintRooms(db, { hints, hintedBy: 'sweep', now: databaseTime })
  return rooms
}

async function expectArchivedOnce(db: TestArchive['db'], rooms: readonly SimulatedRoom[]): Promise<void> {
  const jobs = await db
    .selectFrom('archive.jobs')
    .select(['state', 'leased_by', 'attempts', 'last_error_message'])
    .execute()
  expect(jobs).toEqual(rooms.map(() => ({ state: 'archived', leased_by: null, attempts: 0, last_error_message: null })))
  const runs = await db.selectFrom('archive.runs').select('room_id').where('outcome', '=', 'archived').execute()
  expect(runs.map((run) => run.room_id).sort()).toEqual(rooms.map(({ roomId }) => roomId).sort())
  for (const room of rooms) await expectTruth(db, room)
}

test('PostgreSQL crashes five times while a worker is at work: it goes on by itself, and nothing is lost or doubled', async () => {
  // The name is one that global-setup.ts clears away after a killed run.
  const directory = join(tmpdir(), `lcic-archive-test-${process.pid}`, 'crashes')
  const home = await mkdtemp(join(tmpdir(), 'lcic-archive-crash-'))
  await chmod(home, 0o711)
  const open = () => openEmbeddedDatabase({ directory: home })
  let server = await open()
  // Its port changes with each start: the worker reaches it by a relay that does not.
  const relay = await startRelay(() => server.port)
  const url = new URL(server.url)
  url.port = String(relay.port)
  const db = connect({ url: url.toString(), silenceMs: 5000 })
  try {
    await migrateUp(db)
    const rooms = await dueRooms(db, 240)
    const working = work(
      { ...archive.context, db, budget: archive.context.budget, now: () => databaseTime },
      { until: 'idle' },
    )
    for (let crash = 0; crash < 5; crash++) {
      await delay(900)
      const [pid = ''] = (await readFile(join(server.dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')
      process.kill(Number(pid), 'SIGQUIT')
      await server.close().catch(() => undefined)
      server = await open()
    }
    await working
    await expectArchivedOnce(db, rooms)
  } finally {
    await db.destroy()
    await relay.close()
    await server.close()
    await rm(home, { recursive: true, force: true, maxRetries: 3 })
    await rm(directory, { recursive: true, force: true })
  }
}, 90_000)

test('connections that go silent without being closed are given up, and their rooms are archived all the same', async () => {
  const { port } = new URL(archive.url)
  const relay = await startRelay(() => Number(port))
  const url = new URL(archive.url)
  url.port = String(relay.port)
  const db = connect({ url: url.toString(), silenceMs: 700 })
  try {
    const rooms = await dueRooms(archive.db, 150)
    const working = work({ ...archive.context, db, now: () => databaseTime }, { until: 'idle' })
    let cut = 0
    for (let times = 0; times < 3; times++) {
      await delay(900)
      // Between two attempts to connect there may be none.
      cut += relay.fallSilent()
    }
    expect(cut).toBeGreaterThan(2)
    await working
    await expectArchivedOnce(archive.db, rooms)
  } finally {
    await db.destroy()
    await relay.close()
  }
}, 90_000)

test('a snapshot that is committed after its connection was lost is recorded as what it became', async () => {
  const { port } = new URL(archive.url)
  const relay = await startRelay(() => Number(port))
  const url = new URL(archive.url)
  url.port = String(relay.port)
  const db = connect({ url: url.toString() })
  const someoneWaitsFor = async (event: string) => {
    const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event = ${event}`
    while ((await waiting.execute(archive.db)).rows.length === 0) await new Promise(setImmediate)
  }
  try {
    const rooms = await dueRooms(archive.db, 1)
    const holder = await archive.db.startTransaction().execute()
    const lcic: typeof archive.context.lcic = {
      ...archive.context.lcic,
      async describeRoomStatistics(...asked) {
        const answer = await archive.context.lcic.describeRoomStatistics(...asked)
        await sql`select from archive.jobs for update`.execute(holder)
        return answer
      },
    }
    const working = work({ ...archive.context, db, lcic, now: () => databaseTime }, { until: 'settled' })
    await someoneWaitsFor('transactionid')
    relay.cutOff()
    // The worker has noticed, and would give the room back; its snapshot is before it in the queue.
    await someoneWaitsFor('tuple')
    await holder.commit().execute()
    await working
    await expectArchivedOnce(archive.db, rooms)
  } finally {
    await db.destroy()
    await relay.close()
  }
})

interface Relay {
  readonly port: number
  /** Forgets all connections there are: nothing is passed on any more, and nobody is told. @returns how many */
  fallSilent(): number
  /** Closes all connections on this side; the server is told nothing. */
  cutOff(): void
  close(): Promise<void>
}

async function startRelay(port: () => number): Promise<Relay> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const silent = new Set<Socket>()
  const server: Server = createServer((near) => {
    const far = new Socket().connect(port(), '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    near.pipe(far)
    far.pipe(near)
    for (const [socket, other] of [pair, [far, near] as const]) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        pairs.delete(pair)
        if (!silent.has(socket)) other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('The relay does not listen.')
  const fallSilent = () => {
    const { size } = pairs
    for (const [near, far] of pairs) {
      for (const socket of [near, far]) {
        silent.add(socket)
        socket.unpipe()
        socket.pause()
      }
    }
    pairs.clear()
    return size
  }
  return {
    port: address.port,
    fallSilent,
    cutOff() {
      const cut = [...pairs]
      fallSilent()
      for (const [near] of cut) near.destroy()
    },
    async close() {
      for (const [near, far] of pairs) for (const socket of [near, far]) socket.destroy()
      for (const socket of silent) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
