import { once } from 'node:events'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../lib/clock'
import { readConfig } from '../../lib/config'
import { connect } from '../../lib/db/connect'
import { signCallback } from '../../lib/lcic/callback'
import { type ServeOptions, serve } from '../../lib/serve'
import type { HttpLimits } from '../../lib/serve/listen'
import { openTestArchive, type TestArchive } from '../support/archive'
import { keepOutOfLogs, testLog } from '../support/log-directory'
import { expectTruth } from '../support/truth'

const key = 'key of the served callbacks'
const limits: Partial<HttpLimits> = { headersMs: 200, requestMs: 900 }

interface Served {
  readonly url: string
  readonly metricsUrl: string
  callBack(body: string): Promise<{ status: number; answer: unknown }>
  /** What it logged since this was asked last. */
  logged(): Record<string, unknown>[]
  stop(): Promise<void>
}

let archive: TestArchive
let served: Served
beforeAll(async () => {
  // Requests that workers wait for are to be seen, and nobody else's.
  archive = await openTestArchive({ frozen: true, clock: systemClock })
  keepOutOfLogs([key])
  served = await startServing()
})
afterAll(async () => {
  await served?.stop()
  await archive?.close()
})
beforeEach(() => {
  archive.simulator.requests.length = 0
})

async function startServing(changes: Partial<ServeOptions> = {}, url = archive.url): Promise<Served> {
  const stop = new AbortController()
  const lines: Record<string, unknown>[] = []
  const log = testLog((line) => lines.push(JSON.parse(line)))
  const db = connect({ url, max: 4 })
  const { credentials, endpoint } = archive.simulator
  const config = readConfig({
    LCIC_ENDPOINT: endpoint,
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    LCIC_CALLBACK_KEY: key,
    LCIC_SDK_APP_IDS: String(archive.school.sdkAppId),
  })
  const options = { config, context: { ...archive.context, log }, db, log, host: '127.0.0.1', port: 0, limits }
  let ended: Promise<void> = Promise.resolve()
  const where = await new Promise<{ url: string; metricsUrl: string }>((resolve, reject) => {
    ended = serve({ ...options, sweepEveryMs: 0, signal: stop.signal, onListening: resolve, ...changes })
    ended.catch(reject)
  })
  return {
    ...where,
    async callBack(body) {
      const response = await fetch(`${where.url}/callback`, { method: 'POST', body })
      return { status: response.status, answer: await response.json() }
    },
    logged: () => lines.splice(0),
    async stop() {
      stop.abort(new Error('The test is over.'))
      await ended
      await db.destroy()
    },
  }
}

function bodyOf(roomId: bigint | number, { seconds = 300, secret = key, event = 'RoomEnd', app = 1400000001 } = {}) {
  const ExpireTime = Math.floor(Date.now() / 1000) + seconds
  const Sign = signCallback(secret, ExpireTime)
  return JSON.stringify({
    SdkAppId: app,
    ExpireTime,
    Sign,
    EventType: event,
    EventData: { RoomId: Number(roomId) },
  })
}

async function metricsOf({ metricsUrl }: Served): Promise<Map<string, number>> {
  const response = await fetch(`${metricsUrl}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return readMetricsText(await response.text())
}

/** Prometheus's text format: each sample is announced, and every line is one. */
function readMetricsText(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/.exec(line) ?? []
    if (kind === 'TYPE') types.set(name, rest)
    if (kind) continue
    const sample = /^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)+\})? (\S+)$/.exec(line)
    expect(sample, line).not.toBeNull()
    const family = (sample?.[1] ?? '').replace(/_(bucket|sum|count)$/, '')
    expect(types.has(sample?.[1] ?? '') || types.get(family) === 'histogram', line).toBe(true)
    samples.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]))
  }
  return samples
}

function requestsFor(roomId: bigint): number {
  return archive.simulator.requests.filter((request) => request.roomId === roomId).length
}

test('a class ends, LCIC calls back, and its room is archived: the metrics say so, and hold no personal data', async () => {
  const room = archive.school.addRoom({ members: 30 })
  expect(await served.callBack(bodyOf(room.roomId))).toEqual({ status: 200, answer: { error_code: 0 } })
  await vi.waitFor(() => expectTruth(archive.db, room), { timeout: 10_000, interval: 20 })
  const other = await startServing()
  try {
    const metrics = await vi.waitFor(async () => {
      const read = await metricsOf(served)
      expect(read.get('lcic_archive_freshness_seconds_count')).toBe(1)
      return read
    })
    expect(Object.fromEntries(metrics)).toMatchObject({
      'lcic_archive_jobs{state="archived"}': 1,
      'lcic_archive_jobs{state="failed"}': 0,
      lcic_archive_oldest_due_age_seconds: 0,
      lcic_archive_rooms_past_deadline: 0,
      'lcic_archive_runs_total{outcome="archived"}': 1,
      'lcic_archive_callbacks_total{outcome="accepted",reason=""}': 1,
      lcic_archive_callback_duration_seconds_count: 1,
      'lcic_archive_freshness_seconds_bucket{le="1800"}': 0,
      'lcic_archive_freshness_seconds_bucket{le="3600"}': 1,
      'lcic_archive_budget_backlog_seconds{action="DescribeRoomStatistics"}': expect.any(Number),
      lcic_archive_database_up: 1,
      lcic_archive_worker_up: 1,
      process_cpu_seconds_total: expect.any(Number),
    })
    // What the database knows, every process tells; what is counted is each one's own.
    const others = await metricsOf(other)
    expect(others.get('lcic_archive_jobs{state="archived"}')).toBe(1)
    expect(others.get('lcic_archive_runs_total{outcome="archived"}')).toBe(0)
  } finally {
    await other.stop()
  }
  const text = await (await fetch(`${served.url}/metrics`)).text()
  const { secretId, secretKey } = archive.simulator.credentials
  const secrets = [secretId, secretKey, key, new URL(archive.url).password, room.name]
  for (const member of room.members) secrets.push(String(member.UserName), member.UserId, String(member.IPAddress))
  for (const secret of secrets.filter((each) => each.length > 4)) expect(text).not.toContain(secret)
})

test.each([
  ['another key', () => bodyOf(1, { secret: 'another' }), 401],
  ['no signature', () => '{"EventType":"RoomEnd","EventData":{"RoomId":1}}', 401],
  ['a signature that has expired', () => bodyOf(1, { seconds: -1 }), 401],
  ['a signature that is valid for a day', () => bodyOf(1, { seconds: 86_400 }), 401],
  ['65 KB', () => bodyOf(1).padEnd(65 * 1024), 413],
  ['no JSON', () => 'RoomId=1', 400],
  ['another app', () => bodyOf(1, { app: 1400000002 }), 403],
])('%s: refused, without a request to LCIC', async (_, body, status) => {
  const { status: answered, answer } = await served.callBack(body())
  expect({ answered, answer }).toEqual({ answered: status, answer: { error_code: status, error: expect.any(String) } })
  expect(archive.simulator.requests).toEqual([])
  const { rows } = { rows: await archive.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', 1n).execute() }
  expect(rows).toEqual([])
})

test('an event of no concern is accepted, without a request to LCIC', async () => {
  expect(await served.callBack(bodyOf(1, { event: 'MemberJoin' }))).toEqual({ status: 200, answer: { error_code: 0 } })
  expect(archive.simulator.requests).toEqual([])
})

test('replays of a callback cause one request', async () => {
  const room = archive.school.addRoom({ members: 3 })
  const body = bodyOf(room.roomId)
  for (let replay = 0; replay < 50; replay++) expect((await served.callBack(body)).status).toBe(200)
  await vi.waitFor(() => expectTruth(archive.db, room), { timeout: 10_000, interval: 20 })
  await Promise.all(Array.from({ length: 50 }, () => served.callBack(body)))
  // Another room shows that the worker has looked since.
  const later = archive.school.addRoom({ members: 3 })
  await served.callBack(bodyOf(later.roomId))
  await vi.waitFor(() => expectTruth(archive.db, later), { timeout: 10_000, interval: 20 })
  expect([requestsFor(room.roomId), requestsFor(later.roomId)]).toEqual([1, 1])
})

test('a slash at the end and a query make no difference; other methods are told so, other paths are not there', async () => {
  const callBack = (path: string, method = 'POST') =>
    fetch(`${served.url}${path}`, { method, ...(method === 'POST' && { body: bodyOf(1, { event: 'RoomStart' }) }) })
  const answers = await Promise.all([
    callBack('/callback/'),
    callBack('/callback?app=1'),
    callBack('/callback/?app=1'),
    callBack('/callback', 'GET'),
    callBack('/callback/more'),
    callBack('/'),
    callBack('/healthz', 'POST'),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 405, 404, 404, 404])
  for (const answer of answers) expect(answer.headers.get('content-type')).toBe('application/json')
})

describe('what callers may not do', () => {
  async function open({ url } = served): Promise<Socket & { readonly said: Promise<string> }> {
    const { port } = new URL(url)
    const socket = connectTo(Number(port), '127.0.0.1').setEncoding('utf8')
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    const said = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
    await once(socket, 'connect')
    return Object.assign(socket, { said })
  }

  test('nobody takes longer over headers, or over a body, than he may', async () => {
    const [silent, slow, bodiless] = await Promise.all([open(), open(), open()])
    slow.write('POST /callback HTTP/1.1\r\nHost: a\r\nX-A')
    const dripping = setInterval(() => slow.write('a'), 50)
    bodiless.write('POST /callback HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{')
    const headers = Promise.all([silent.said, slow.said]).then(() => 'headers')
    expect(await Promise.race([headers, bodiless.said])).toBe('headers')
    const said = await Promise.all([silent.said, slow.said, bodiless.said])
    clearInterval(dripping)
    for (const text of said) expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect(said[1]).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('a body that is announced as too large, or turns out so, is refused before it has come', async () => {
    const [announced, endless] = await Promise.all([open(), open()])
    announced.write(`POST /callback HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * 1024 + 1}\r\n\r\n`)
    endless.write('POST /callback HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let chunk = 0; chunk < 65; chunk++) endless.write(`400\r\n${' '.repeat(1024)}\r\n`)
    for (const text of await Promise.all([announced.said, endless.said])) {
      expect(text).toMatch(/^HTTP\/1\.1 413 .*"error_code":413/s)
      // The connection is of no more use, and nothing more is said on it.
      expect(text.toLowerCase()).toContain('connection: close')
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    }
  })

  test('large headers are refused', async () => {
    const socket = await open()
    socket.write(`POST /callback HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(9000)}\r\n\r\n`)
    expect(await socket.said).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('more connections than allowed are not taken; those that are there are served', async () => {
    const small = await startServing({ limits: { connections: 20 } })
    const openSome = (count: number) => Promise.all(Array.from({ length: count }, () => open(small)))
    const first = await openSome(20)
    const others = await openSome(20)
    expect(await Promise.all(others.map((socket) => socket.said))).toEqual(Array(20).fill(''))
    for (const socket of first) socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    for (const socket of first) expect(await socket.said).toMatch(/^HTTP\/1\.1 200 /)
    await small.stop()
  })

  test('who goes away in the midst of a callback leaves nothing, and is no error', async () => {
    served.logged()
    const socket = await open()
    socket.write('POST /callback HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{')
    socket.destroy()
    await socket.said
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200)
    expect(served.logged().filter(({ level }) => Number(level) > 40)).toEqual([])
  })
})

test('metrics may have a port of their own, and are not beside the callbacks then', async () => {
  const apart = await startServing({ metricsPort: 0 })
  expect(apart.metricsUrl).not.toBe(apart.url)
  expect((await metricsOf(apart)).get('lcic_archive_database_up')).toBe(1)
  const statusOf = async (url: string) => (await fetch(url)).status
  expect(await statusOf(`${apart.url}/metrics`)).toBe(404)
  expect(await statusOf(`${apart.url}/healthz`)).toBe(200)
  expect(await statusOf(`${apart.metricsUrl}/callback`)).toBe(404)
  await apart.stop()
})

test('a port that is taken is an error of usage, and leaves nothing behind', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await expect(startServing({ port })).rejects.toMatchObject({ code: 'E_USAGE', message: /^--port \d+: .*EADDRINUSE/ })
  const metricsTaken = startServing({ metricsPort: port })
  await expect(metricsTaken).rejects.toMatchObject({
    message: expect.stringMatching(/^--metrics-port \d+: .*EADDRINUSE/),
  })
  taken.close()
})

describe('while the database is out of reach', () => {
  let without: Served
  beforeAll(async () => {
    const nowhere = 'postgres://nobody@127.0.0.1:1/none'
    without = await startServing({ db: connect({ url: nowhere }) })
  })
  afterAll(() => without.stop())

  test('/healthz says so with 503, callbacks are to be called again, and metrics leave out what it knows', async () => {
    const health = await fetch(`${without.url}/healthz`)
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({
      status: 'unavailable',
      problems: { database: expect.stringMatching(/ECONNREFUSED/) },
    })
    expect((await without.callBack(bodyOf(1))).status).toBe(503)
    const metrics = await metricsOf(without)
    expect(metrics.get('lcic_archive_database_up')).toBe(0)
    expect(metrics.get('lcic_archive_callbacks_total{outcome="refused",reason="E_CALLBACK_NOT_STORED"}')).toBe(1)
    expect([...metrics.keys()].filter((name) => name.startsWith('lcic_archive_jobs'))).toEqual([])
    expect(metrics.has('lcic_archive_oldest_due_age_seconds')).toBe(false)
  })
})

test('a worker that LCIC refuses is told by /healthz; callbacks are taken meanwhile', async () => {
  const room = archive.school.addRoom({ members: 3 })
  archive.simulator.setFaults(() => ({ kind: 'error', code: 'AuthFailure.SecretIdNotFound' }))
  const refused = await startServing()
  try {
    await refused.callBack(bodyOf(room.roomId))
    const problems = await vi.waitFor(
      async () => {
        const health = await Promise.all([refused, served].map(({ url }) => fetch(`${url}/healthz`)))
        const unwell = health.find(({ status }) => status === 503)
        expect(unwell).toBeDefined()
        return unwell?.json()
      },
      { timeout: 10_000, interval: 20 },
    )
    expect(problems).toEqual({
      status: 'unavailable',
      problems: { worker: expect.stringMatching(/^it stopped, .*AuthFailure\.SecretIdNotFound/) },
    })
    expect((await refused.callBack(bodyOf(room.roomId))).status).toBe(200)
  } finally {
    archive.simulator.setFaults(undefined)
    await refused.stop()
  }
})
