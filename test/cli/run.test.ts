import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { hintRooms } from '../../lib/db/hint-rooms'
import { databaseTime } from '../../lib/db/instant'
import { retryRooms } from '../../lib/db/retry-rooms'
import type { SimulatedRoom } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { expectTruth } from '../support/truth'

let archive: TestArchive
let cli: CommandLine
beforeAll(async () => {
  archive = await openTestArchive({ frozen: true })
  cli = await installCommandLine()
})
afterEach(() => archive.simulator.setFaults(undefined))
afterAll(async () => {
  await cli?.remove()
  await archive?.close()
})

function environment(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { endpoint, credentials } = archive.simulator
  return {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: endpoint,
    LCIC_REQUESTS_PER_SECOND: '1000',
    LOG_LEVEL: 'error',
    ARCHIVE_REREAD_AFTER: 'off',
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    ...changes,
  }
}

async function addRooms(count: number): Promise<SimulatedRoom[]> {
  const rooms = Array.from({ length: count }, () => archive.school.addRoom({ members: 3 }))
  const hints = rooms.map(({ roomId }) => ({ roomId }))
  await hintRooms(archive.db, { hints, hintedBy: 'sweep', now: databaseTime })
  return rooms
}

async function expectArchivedOnce(rooms: readonly SimulatedRoom[]): Promise<void> {
  for (const room of rooms) {
    await expectTruth(archive.db, room)
    const runs = archive.db.selectFrom('archive.runs').selectAll().where('room_id', '=', room.roomId)
    expect(await runs.where('outcome', '=', 'archived').execute()).toHaveLength(1)
  }
  await expectNoLease()
}

async function expectNoLease(): Promise<void> {
  const leased = archive.db.selectFrom('archive.jobs').select('room_id').where('leased_by', 'is not', null)
  expect(await leased.execute()).toEqual([])
}

test('run --until-idle works off the jobs that there are, and ends with 0', async () => {
  const rooms = await addRooms(20)
  const { exitCode, stdout } = await cli.run(['run', '--until-idle', '--json'], { env: environment() })
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ archived: 20, put_off: 0, not_archived: 0 })
  await expectArchivedOnce(rooms)
})

test('two workers share the rooms', async () => {
  const rooms = await addRooms(60)
  const env = environment({ LCIC_REQUESTS_PER_SECOND: '20' })
  const ended = await Promise.all([1, 2].map(() => cli.run(['run', '--until-idle', '--json'], { env })))
  const shares = ended.map(({ stdout }) => Number(JSON.parse(stdout).archived))
  expect(Math.min(...shares)).toBeGreaterThan(0)
  expect(shares.reduce((sum, share) => sum + share)).toBe(60)
  await expectArchivedOnce(rooms)
})

test('workers that are killed one after the other lose nothing and double nothing', async () => {
  const rooms = await addRooms(80)
  const env = environment({ LCIC_REQUESTS_PER_SECOND: '20' })
  const start = () => cli.start(['run', '--until-idle'], { env })
  let [victim, ...others] = [start(), start()]
  for (let kills = 0; kills < 4; kills++) {
    const asked = archive.simulator.requests.length
    await vi.waitFor(() => expect(archive.simulator.requests.length).toBeGreaterThan(asked + 8), { timeout: 10_000 })
    victim?.signal('SIGKILL')
    ;[victim, ...others] = [...others, start()]
  }
  const ended = await Promise.all([victim, ...others].map((worker) => worker?.ended))
  expect(ended.map((worker) => worker?.exitCode)).toEqual([0, 0])
  await expectArchivedOnce(rooms)
})

test('run --until-idle ends with 1 where a room was put off', async () => {
  const gone = archive.school.addRoom({ fate: 'missing' })
  await hintRooms(archive.db, { hints: [{ roomId: gone.roomId }], hintedBy: 'sweep', now: databaseTime })
  const { exitCode, stdout } = await cli.run(['run', '--until-idle', '--json'], { env: environment() })
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ archived: 0, put_off: 1, not_archived: 1 })
})

test('re-reads for which LCIC is out of reach are told, and end run --until-idle with 3', async () => {
  const [room] = await addRooms(1)
  await cli.run(['run', '--until-idle'], { env: environment() })
  await retryRooms(archive.db, { rooms: [room?.roomId ?? 0n], now: databaseTime })
  const nowhere = environment({ LCIC_ENDPOINT: 'http://127.0.0.1:1', LOG_LEVEL: 'error' })
  const { exitCode, stdout, stderr } = await cli.run(['run', '--until-idle'], { env: nowhere })
  expect(stdout).toMatch(
    /^0 rooms archived; .*\n1 archived room could not be read once more:\n {2}Room \d+: .*E_NETWORK.*\n$/,
  )
  expect(exitCode).toBe(3)
  // It took more than two seconds; who wants to hear of errors alone hears of no progress.
  expect(stderr).toBe('')
  await expectArchivedOnce(room ? [room] : [])
  await archive.db.updateTable('archive.jobs').set({ due_at: null }).execute()
})

test('SIGTERM ends a worker within 5 s with 0, whatever it waits for, and its rooms are given back', async () => {
  const rooms = await addRooms(4)
  const before = archive.simulator.requests.length
  archive.simulator.setFaults(() => ({ kind: 'hang' }))
  const worker = cli.start(['run'], { env: environment() })
  await vi.waitFor(() => expect(archive.simulator.requests.length).toBeGreaterThan(before), { timeout: 10_000 })
  const signalledAt = performance.now()
  worker.signal('SIGTERM')
  expect((await worker.ended).exitCode).toBe(0)
  expect(performance.now() - signalledAt).toBeLessThan(5000)
  await expectNoLease()
  archive.simulator.setFaults(undefined)
  expect((await cli.run(['run', '--until-idle'], { env: environment() })).exitCode).toBe(0)
  await expectArchivedOnce(rooms)
})

test('SIGTERM ends a worker within 5 s, too, that has not reached its database yet', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const connected = once(silent, 'connection')
  const worker = cli.start(['run'], { env: environment({ DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/none` }) })
  const [socket] = await connected
  const signalledAt = performance.now()
  worker.signal('SIGTERM')
  expect((await worker.ended).exitCode).toBe(130)
  expect(performance.now() - signalledAt).toBeLessThan(5000)
  socket.destroy()
  silent.close()
})

test('refused credentials end with 2, a database out of reach with 3', async () => {
  await addRooms(1)
  const wrong = environment({ TENCENTCLOUD_SECRET_KEY: 'wrong' })
  const nowhere = environment({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
  const ended = await Promise.all([wrong, nowhere].map((env) => cli.run(['run', '--until-idle'], { env })))
  expect(ended.map(({ exitCode }) => exitCode)).toEqual([2, 3])
  await expectNoLease()
})
