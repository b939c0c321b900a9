import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { answerOf, callbackKey, type Functions, linesOf, openFunctions, roleCredentials } from '../support/functions'
import type { Instance, Outcome } from '../support/platform'
import { type ScfInvocations, startScfInvocations } from '../support/scf-invocations'

let functions: Functions
let instance: Instance
let withoutDatabase: Promise<Outcome>
let silentScf: ScfInvocations
let patient: Instance
let withoutScf: Promise<Outcome>
let roomId = 400_000_000n

beforeAll(async () => {
  functions = await openFunctions()
  instance = await functions.start('room-ended')
  // These take a while: other tests go on meanwhile.
  const { url } = await openDoor(() => undefined)
  const lonely = await functions.start('room-ended', { environment: { DATABASE_URL: url } })
  withoutDatabase = lonely.invoke(post(callback()))
  silentScf = await startScfInvocations(roleCredentials())
  silentScf.behaviour = 'hangs'
  patient = await functions.start('room-ended', { environment: { TENCENTCLOUD_SCF_ENDPOINT: silentScf.endpoint } })
  withoutScf = patient.invoke(post(callback()))
  // From here on SCF may be asked by others.
  await vi.waitFor(() => expect(silentScf.asked).toHaveLength(1), { timeout: 20_000 })
  roomId += 1n
})

afterAll(async () => {
  await functions?.close()
  await silentScf?.close()
})

beforeEach(async () => {
  roomId += 1n
  functions.scf.asked.length = 0
  functions.scf.behaviour = 'works'
  // Else a test would have to wait until the next start of a function may be asked for.
  await sql`delete from archive.invocations`.execute(functions.db)
})

const nowSeconds = () => Math.floor(Date.now() / 1000)

function callback({
  expireTime = nowSeconds() + 60,
  sign = signOf(expireTime),
  ...fields
}: Record<string, unknown> = {}) {
  return {
    Timestamp: nowSeconds(),
    SdkAppId: functions.school.sdkAppId,
    EventType: 'RoomEnd',
    EventData: { RoomId: Number(roomId), SomethingNew: true },
    ExpireTime: expireTime,
    Sign: sign,
    ...fields,
  }
}

function signOf(expireTime: unknown): string {
  return createHash('md5').update(`${callbackKey}${expireTime}`).digest('hex')
}

function post(body: unknown, event: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json' }
  return { httpMethod: 'POST', path: '/', queryString: {}, headers, body: text, isBase64Encoded: false, ...event }
}

interface HttpAnswer {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** Its status, and what its body says. */
async function answered(event: unknown, of = instance) {
  const { statusCode, headers, body } = answerOf<HttpAnswer>(await of.invoke(event))
  expect(headers).toEqual({ 'Content-Type': 'application/json' })
  return { status: statusCode, ...JSON.parse(body) }
}

async function storedCallbacks() {
  const { rows } = await sql`
    select event_type, body from archive.callbacks where room_id = ${roomId} order by received_at`.execute(functions.db)
  return rows
}

async function job() {
  return functions.db.selectFrom('archive.jobs').selectAll().where('room_id', '=', roomId).executeTakeFirst()
}

const accepted = { status: 200, error_code: 0 }

test('a signed callback is stored, makes its room due, and starts archive-rooms once, without waiting for it', async () => {
  expect(await answered(post(callback()))).toEqual(accepted)
  expect(await storedCallbacks()).toMatchObject([
    { event_type: 'RoomEnd', body: { EventData: { SomethingNew: true } } },
  ])
  expect(await job()).toMatchObject({ state: 'pending', hinted_by: 'callback', leased_by: null })
  expect(functions.scf.asked).toEqual([
    {
      FunctionName: 'lcic-archive-test-archive-rooms',
      Namespace: 'default',
      InvocationType: 'Event',
      ClientContext: '{"Type":"Callback"}',
      region: 'ap-guangzhou',
    },
  ])
})

test('a callback whose archive-rooms cannot be started is taken all the same, and that is logged', async () => {
  functions.scf.behaviour = 'fails'
  expect(await answered(post(callback()))).toEqual(accepted)
  expect(await storedCallbacks()).toHaveLength(1)
  expect(functions.scf.asked).toHaveLength(1)
  expect(linesOf(instance).at(-1)).toMatchObject({ level: 40, code: 'ResourceNotFound.Function' })
})

test('a callback that comes again is stored again, and makes nothing due that is not', async () => {
  const body = callback()
  for (let times = 0; times < 3; times++) expect(await answered(post(body))).toEqual(accepted)
  expect(await storedCallbacks()).toHaveLength(3)
  // The second and third come within a quarter of a second of the first.
  expect(functions.scf.asked.length).toBeLessThanOrEqual(2)
})

test('a room id beyond 2^53 keeps its digits, as a number and as a string', async () => {
  roomId = 9_007_199_254_740_993n
  const body = JSON.stringify(callback()).replace(/"RoomId":\d+/, `"RoomId":${roomId}`)
  expect(await answered(post(body))).toEqual(accepted)
  expect(await answered(post(callback({ EventData: { RoomId: String(roomId) } })))).toEqual(accepted)
  expect(await storedCallbacks()).toHaveLength(2)
  roomId = 400_100_000n
})

test('a body in base64 is read', async () => {
  const body = Buffer.from(JSON.stringify(callback())).toString('base64')
  expect(await answered(post(body, { isBase64Encoded: true }))).toEqual(accepted)
  expect(await storedCallbacks()).toHaveLength(1)
})

test('events that mean nothing to the archive are accepted, and leave nothing behind', async () => {
  for (const EventType of ['RoomStart', 'MemberJoin', 'SomethingNew']) {
    expect(await answered(post(callback({ EventType })))).toEqual(accepted)
  }
  expect(await answered(post(callback({ EventType: 'MemberQuit', EventData: null })))).toEqual(accepted)
  await expectNothing()
})

const soon = () => nowSeconds() + 60

test.each<[string, number, () => unknown]>([
  ['has a wrong signature', 401, () => post(callback({ sign: '0'.repeat(32) }))],
  ['has another signature in upper case', 401, () => post(callback({ sign: signOf(soon()).toUpperCase() }))],
  ['has the signature of another time', 401, () => post(callback({ sign: signOf(soon() + 1), expireTime: soon() }))],
  ['has a signature of another length', 401, () => post(callback({ sign: 'ab' }))],
  ['has no signature', 401, () => post(callback({ Sign: undefined, ExpireTime: undefined }))],
  ['has a signature that has expired', 401, () => post(callback({ expireTime: nowSeconds() - 2 }))],
  ['has a signature for the far future', 401, () => post(callback({ expireTime: nowSeconds() + 365 * 86_400 }))],
  ['is of another app', 403, () => post(callback({ SdkAppId: 1_499_999_999 }))],
  ['is larger than 64 KB', 413, () => post(callback({ padding: 'x'.repeat(65 * 1024) }))],
  ['is no JSON', 400, () => post('{"EventType": "RoomEnd", ')],
  ['is JSON, but no object', 400, () => post('[1,2]')],
  ['is empty', 400, () => post('')],
  ['names no room', 400, () => post(callback({ EventData: {} }))],
  ['names a room of 2^63', 400, () => post(callback({ EventData: { RoomId: String(2n ** 63n) } }))],
  ['has a NUL in its event', 400, () => post(callback({ EventType: 'Room\0End' }))],
  ['is asked for by GET', 405, () => post('', { httpMethod: 'GET' })],
  ['comes in no HTTP event at all', 400, () => 'what is this'],
  ['comes in an event without anything', 400, () => null],
])('a callback that %s is refused with %i and leaves nothing behind', async (_what, status, event) => {
  const { status: answeredStatus, error_code, error } = await answered(event())
  expect({ answeredStatus, error_code }).toEqual({ answeredStatus: status, error_code: status })
  expect(error).toMatch(/\w/)
  await expectNothing()
})

async function expectNothing(): Promise<void> {
  expect(await storedCallbacks()).toEqual([])
  expect(await job()).toBeUndefined()
  expect(functions.scf.asked).toEqual([])
}

test('a callback that cannot be stored is answered 503 at once, and the next one is taken once the database is back', async () => {
  const server = new URL(functions.environment.DATABASE_URL ?? '')
  const door = await openDoor((socket) => socket.destroy())
  const away = await functions.start('room-ended', { environment: { DATABASE_URL: door.url } })

  const outcome = await away.invoke(post(callback()))
  expect(answerOf<HttpAnswer>(outcome)).toMatchObject({ statusCode: 503 })
  expect(outcome.durationMs).toBeLessThan(1_000)
  await door.close()
  expect(await answered(post(callback()), away)).toMatchObject({ status: 503 })
  await expectNothing()

  const forwarding = await openDoor((socket) => {
    socket.on('error', () => undefined)
    const onward = connect(Number(server.port), server.hostname, () => socket.pipe(onward).pipe(socket))
    onward.on('error', () => socket.destroy())
  }, door.port)
  expect(await answered(post(callback()), away)).toEqual(accepted)
  await away.kill()
  await forwarding.close()
})

test('a callback waits two seconds, and no longer, for SCF to start archive-rooms', async () => {
  const outcome = await withoutScf
  expect(answerOf<HttpAnswer>(outcome)).toMatchObject({ statusCode: 200 })
  expect(outcome.durationMs).toBeLessThan(3_500)
  expect(silentScf.asked).toHaveLength(1)
  expect(linesOf(patient).at(-1)).toMatchObject({ level: 40, msg: expect.stringContaining('could not be started') })
})

test('a callback is answered 503 within four seconds where the database says nothing at all', async () => {
  const outcome = await withoutDatabase
  expect(answerOf<HttpAnswer>(outcome)).toMatchObject({ statusCode: 503 })
  expect(outcome.durationMs).toBeLessThan(4_000)
})

/** Listens where a database might. */
async function openDoor(greet: (socket: Socket) => void, atPort = 0) {
  const server = createServer(greet).listen(atPort, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(functions.environment.DATABASE_URL ?? '')
  url.host = `127.0.0.1:${port}`
  return {
    port,
    url: url.href,
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}
