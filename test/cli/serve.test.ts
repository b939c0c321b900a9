import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { signCallback } from '../../lib/lcic/callback'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createEmptyDatabase } from '../support/database'
import { expectTruth } from '../support/truth'

let archive: TestArchive
let cli: CommandLine
beforeAll(async () => {
  archive = await openTestArchive({ frozen: true })
  cli = await installCommandLine()
})
afterAll(async () => {
  await cli?.remove()
  await archive?.close()
})

const key = 'key of callbacks of the command'

function environment(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { endpoint, credentials } = archive.simulator
  return {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: endpoint,
    LCIC_CALLBACK_KEY: key,
    LCIC_REQUESTS_PER_SECOND: '1000',
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    ...changes,
  }
}

async function serve(env: Record<string, string>, ...options: string[]) {
  const command = cli.start(['serve', '--port', '0', ...options], { env })
  const [, url = ''] = await command.printed(/^Listening on (http:\S+); metrics on http:\S+\/metrics$/m)
  const callBack = (roomId: bigint) => {
    const ExpireTime = Math.floor(Date.now() / 1000) + 300
    const EventData = { RoomId: Number(roomId) }
    const Sign = signCallback(key, ExpireTime)
    const body = JSON.stringify({ EventType: 'RoomEnd', ExpireTime, Sign, EventData })
    return fetch(`${url}/callback`, { method: 'POST', body })
  }
  return { command, url, callBack }
}

async function metric(url: string, sample: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `))
  return Number(line?.slice(sample.length))
}

test('serve needs no database of its own: callbacks and sweeps fill the embedded one', async () => {
  const called = archive.school.addRoom({ members: 3, listed: false })
  archive.school.addRoom({ members: 4 })
  const { DATABASE_URL: _, ...env } = environment({ LCIC_SDK_APP_IDS: String(archive.school.sdkAppId) })
  const { command, url, callBack } = await serve(env)
  expect((await callBack(called.roomId)).status).toBe(200)
  const archived = () => metric(url, 'lcic_archive_runs_total{outcome="archived"}')
  await vi.waitFor(async () => expect(await archived()).toBe(2), { timeout: 20_000, interval: 50 })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  command.signal('SIGTERM')
  const { exitCode, stderr } = await command.ended
  expect(exitCode).toBe(0)
  const events = stderr.split('\n').filter((line) => line.startsWith('{'))
  expect(events.map((line) => JSON.parse(line).msg)).toEqual(
    expect.arrayContaining(['listening', 'sweep', 'callback', 'room', 'stopping']),
  )
})

test('SIGTERM in the midst of work: callbacks in hand are answered, rooms given back, and it ends with 0 within 5 s', async () => {
  const rooms = Array.from({ length: 3 }, () => archive.school.addRoom({ members: 3 }))
  archive.simulator.requests.length = 0
  archive.simulator.setFaults(() => ({ kind: 'hang' }))
  const { command, callBack } = await serve(environment(), '--sweep-every', '0')
  for (const { roomId } of rooms) expect((await callBack(roomId)).status).toBe(200)
  await vi.waitFor(() => expect(archive.simulator.requests.length).toBeGreaterThan(0), { timeout: 10_000 })
  // So that the next one still waits when it is told to stop.
  const holder = await archive.db.startTransaction().execute()
  await holder.selectFrom('archive.jobs').select('room_id').forUpdate().execute()
  const waiting = callBack(rooms[0]?.roomId ?? 0n)
  await vi.waitFor(expectSomebodyToWait)
  const signalledAt = performance.now()
  command.signal('SIGTERM')
  await command.printed(/"msg":"stopping"/)
  await holder.rollback().execute()
  expect((await waiting).status).toBe(200)
  expect((await command.ended).exitCode).toBe(0)
  expect(performance.now() - signalledAt).toBeLessThan(5000)
  const leased = archive.db.selectFrom('archive.jobs').select('room_id').where('leased_by', 'is not', null)
  expect(await leased.execute()).toEqual([])

  archive.simulator.setFaults(undefined)
  expect((await cli.run(['run', '--until-idle'], { env: environment({ ARCHIVE_REREAD_AFTER: 'off' }) })).exitCode).toBe(
    0,
  )
  for (const room of rooms) await expectTruth(archive.db, room)
})

/** For a lock. */
async function expectSomebodyToWait(): Promise<void> {
  const { rows } = await sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(archive.db)
  expect(rows.length).toBeGreaterThan(0)
}

test('what it cannot do without is told at the start: a free port, credentials, migrations, a database', async () => {
  const empty = await createEmptyDatabase()
  const { port } = new URL(archive.simulator.endpoint)
  const { TENCENTCLOUD_SECRET_KEY: _, ...keyless } = environment()
  const ended = await Promise.all([
    cli.run(['serve', '--port', port], { env: environment() }),
    cli.run(['serve'], { env: keyless }),
    cli.run(['serve'], { env: environment({ DATABASE_URL: empty.url }) }),
    cli.run(['serve'], { env: environment({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }) }),
    cli.run(['serve', '--sweep-every', '1s'], { env: environment() }),
  ])
  await empty.drop()
  expect(ended.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 3, 2])
  const told = [
    /--port \d+: .*EADDRINUSE.* \[E_USAGE\]/,
    /\[E_CREDENTIALS\]/,
    /\[E_MIGRATIONS_PENDING\]/,
    /\[E_DATABASE_UNREACHABLE\]/,
    /30s or more/,
  ]
  for (const [index, { stderr, stdout }] of ended.entries()) {
    expect(stderr).toMatch(told[index] ?? /never/)
    expect(stdout).toBe('')
  }
})

test('what it lacks is told once: without a key no callback is taken', async () => {
  const { LCIC_CALLBACK_KEY: _, ...env } = environment()
  const { command, callBack } = await serve(env)
  expect((await callBack(1n)).status).toBe(401)
  command.signal('SIGTERM')
  const { exitCode, stderr } = await command.ended
  expect(exitCode).toBe(0)
  expect(stderr.match(/LCIC_CALLBACK_KEY is not set/g)).toHaveLength(1)
  expect(stderr.match(/LCIC_SDK_APP_IDS is not set/g)).toHaveLength(1)
  expect(stderr).toMatch(/"code":"E_CALLBACK_NO_KEY"/)
})
