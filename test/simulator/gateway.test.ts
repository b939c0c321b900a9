import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { School, type Simulator } from '../../lib/simulator'
import { codeOf, type RawCall, rawCall, sdkClient, withSimulator } from './client'

/** Sends raw bytes and resolves with what came back once the connection is closed. */
function rawBytes(simulator: Simulator, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(simulator.port, '127.0.0.1', () => socket.end(bytes))
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

async function isAlive(simulator: Simulator): Promise<boolean> {
  return (await codeOf(sdkClient(simulator).GetRooms({ SdkAppId: 1 }))) === 'OK'
}

const wrongForms: [code: string, what: string, call: RawCall][] = [
  ['UnsupportedProtocol', 'GET', { method: 'GET', body: '' }],
  ['UnsupportedProtocol', 'DELETE', { method: 'DELETE' }],
  ['InvalidParameter', 'another path', { path: '/v2' }],
  ['MissingParameter', 'no action', { headers: { 'x-tc-action': undefined } }],
  ['MissingParameter', 'no version', { headers: { 'x-tc-version': undefined } }],
  ['MissingParameter', 'no timestamp', { headers: { 'x-tc-timestamp': undefined } }],
  ['MissingParameter', 'no authorization', { headers: { authorization: undefined } }],
  ['NoSuchVersion', 'another version', { headers: { 'x-tc-version': '2021-01-01' } }],
  ['InvalidAction', 'an unknown action', { action: 'DropRooms' }],
  ['InvalidAction', "an object's own method", { action: 'constructor' }],
  ['InvalidParameterValue', 'a timestamp that is none', { headers: { 'x-tc-timestamp': 'noon' } }],
  ['UnsupportedProtocol', 'a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ['InvalidParameter', 'an empty body', { body: '' }],
  ['InvalidParameter', 'a body that is no JSON', { body: '{"RoomId":' }],
  ['InvalidParameter', 'a body that is no UTF-8', { body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) }],
  ['InvalidParameter', 'a list', { body: '[]' }],
  ['InvalidParameter', 'a number', { body: '12345678901234567890' }],
  ['InvalidParameter', 'null', { body: 'null' }],
  ['InvalidParameter', 'a deep nest', { body: '['.repeat(200_000) + ']'.repeat(200_000) }],
  [
    'InvalidParameter',
    'a deep nest with an id',
    { body: `${'['.repeat(99_999)}1234567890123456${']'.repeat(99_999)}` },
  ],
  ['UnknownParameter', 'a prototype', { body: '{"__proto__": {}, "Page": 1234567890123456}' }],
  ['RequestSizeLimitExceeded', 'two megabytes', { body: `"${'x'.repeat(2 * 1024 * 1024)}"` }],
]

test.each(wrongForms)('answers %s to %s', async (code, _what, call) => {
  await withSimulator({ school: new School() }, async (simulator) => {
    const answer = await rawCall(simulator, call)
    expect(answer).toMatchObject({ status: 200, code, headers: { 'content-type': 'application/json' } })
    expect(simulator.requests).toMatchObject([{ outcome: code }])
    expect(await isAlive(simulator)).toBe(true)
  })
})

test('survives random bytes, half requests and clients that go away', async () => {
  await withSimulator({ school: new School() }, async (simulator) => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256))
    expect(await rawBytes(simulator, noise)).toContain('400 Bad Request')
    await rawBytes(simulator, 'POST / HTTP/1.1\r\n')
    await rawBytes(simulator, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"Room')
    await rawBytes(simulator, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}')
    await rawBytes(simulator, 'GET http://[/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await rawBytes(simulator, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')
    await rawBytes(simulator, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect(await isAlive(simulator)).toBe(true)
    expect(simulator.requests.map((entry) => entry.outcome)).toContain('aborted')
    expect(simulator.requests.map((entry) => entry.outcome)).not.toContain('InternalError')
  })
})

test('checks the sender before the limit, and the limit before the parameters', async () => {
  const options = { school: new School(), requestsPerSecond: 1, arrivalClock: { now: () => 1 } }
  await withSimulator(options, async (simulator) => {
    const body = '{"Nonsense": 1}'
    expect((await rawCall(simulator, { body, signed: { payload: '' } })).code).toBe('AuthFailure.SignatureFailure')
    expect((await rawCall(simulator, { body })).code).toBe('UnknownParameter')
    expect((await rawCall(simulator, { body })).code).toBe('RequestLimitExceeded')
    expect((await rawCall(simulator, { body, signed: { payload: '' } })).code).toBe('AuthFailure.SignatureFailure')
  })
})
