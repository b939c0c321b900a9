import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect } from 'vitest'
import { createLcic, type Lcic } from '../../lib/lcic/client'
import { type FailureKind, kindOfCode, mayConcernApp, mayConcernRoom, mendOf, SourceError } from '../../lib/lcic/errors'
import { retryAfterMs } from '../../lib/lcic/response'
import { always } from '../support/fuzz'
import { valueText } from '../support/json-text'

const kinds: readonly FailureKind[] = [
  'not_ready',
  'not_ended',
  'throttled',
  'transient',
  'gone',
  'expired',
  'configuration',
  'unknown',
]

/** The documented codes, and what each means for a room. */
const documented: Readonly<Record<string, FailureKind>> = {
  'ResourceUnavailable.RoomStatistics': 'not_ready',
  ResourceUnavailable: 'not_ready',
  'FailedOperation.RoomNotEnd': 'not_ended',
  RequestLimitExceeded: 'throttled',
  'RequestLimitExceeded.UinLimitExceeded': 'throttled',
  LimitExceeded: 'throttled',
  InternalError: 'transient',
  'InternalError.Other': 'transient',
  FailedOperation: 'transient',
  'FailedOperation.RequestTimedOut': 'transient',
  ServiceUnavailable: 'transient',
  'ResourceNotFound.Room': 'gone',
  'FailedOperation.ClassExpired': 'expired',
}
/** A code of these names, or one of their subcodes, is what its family is, whatever the subcode. */
const families: Readonly<Record<string, FailureKind>> = {
  ResourceUnavailable: 'not_ready',
  RequestLimitExceeded: 'throttled',
  LimitExceeded: 'throttled',
  InternalError: 'transient',
  ServiceUnavailable: 'transient',
  AuthFailure: 'configuration',
  UnauthorizedOperation: 'configuration',
  InvalidParameter: 'configuration',
  InvalidParameterValue: 'configuration',
  MissingParameter: 'configuration',
  UnknownParameter: 'configuration',
  UnsupportedRegion: 'configuration',
  NoSuchVersion: 'configuration',
  ActionOffline: 'configuration',
  IpInBlacklist: 'configuration',
}
/** Of these only the documented subcodes mean what they say. */
const strangers = ['FailedOperation', 'ResourceNotFound', 'Other', 'OperationDenied', 'ResourceInsufficient']
const subcode = fc.string({ unit: 'grapheme', maxLength: 20 })

always(
  'a documented code has its kind, and any subcode of a family that of the family',
  [fc.constantFrom(...Object.keys(documented)), fc.constantFrom(...Object.keys(families)), subcode],
  (code, family, sub) => {
    expect(kindOfCode(code)).toBe(documented[code])
    expect(kindOfCode(family)).toBe(families[family])
    expect(kindOfCode(`${family}.${sub}`)).toBe(families[family])
  },
)

always(
  'a code that nobody documented is unknown: never not ready, never gone, and no reason to stop',
  [fc.constantFrom(...strangers), subcode, fc.string({ unit: 'binary' })],
  (family, sub, text) => {
    const code = `${family}.${sub}`
    expect(kindOfCode(code)).toBe(documented[code] ?? 'unknown')
    expect(kinds).toContain(kindOfCode(text))
    expect(kindOfCode(`x${text}`)).toBe('unknown')
  },
)

always(
  'what concerns a room concerns its app, too, and only what is wrongly asked does; of any code there is a mend',
  [fc.oneof(fc.constantFrom(...Object.keys(families), ...Object.keys(documented)), fc.string()), subcode],
  (family, sub) => {
    for (const code of [family, `${family}.${sub}`]) {
      if (mayConcernRoom(code)) expect(mayConcernApp(code)).toBe(true)
      if (mayConcernApp(code)) expect(kindOfCode(code)).toBe('configuration')
      expect(mendOf(code)).toMatch(/^[A-Z].*\.$/)
      expect([mendOf(family), mendOf(code, 'nothing')].filter((mend) => mend === '')).toEqual([])
    }
  },
)

/** Those of this machine stay; `::1:80`, too, which Node writes for the port 80 of `::1`. */
const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => !/^127\.|^::1?$|^::1:\d+$|^(0+:)*0*:*0*1?$/.test(text))

always(
  'an error is short enough for its column, and holds neither what PostgreSQL cannot hold nor an address',
  [fc.string({ unit: 'binary', maxLength: 600 }), fc.string({ unit: 'binary' }), address, fc.boolean()],
  (message, code, ip, hasId) => {
    const error = new SourceError('unknown', code, `${message} from ${ip} ${message}`, {
      requestId: hasId ? message : undefined,
    })
    for (const text of [error.message, error.code, error.requestId ?? '']) {
      expect(text.isWellFormed() && !text.includes('\0')).toBe(true)
      expect(text.length).toBeLessThanOrEqual(500)
    }
    expect(error.message).not.toContain(` from ${ip} `)
  },
)

always(
  'of Retry-After a minute is believed at most, and nothing of what is no number of seconds',
  [fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String), fc.constant(null))],
  (header) => {
    const ms = retryAfterMs({ headers: { get: () => header } })
    if (ms === undefined) expect(Number(header ?? '') > 0).toBe(false)
    else expect(ms).toBe(Math.min(Number(header), 60) * 1000)
  },
)

let server: Server
let lcic: Lcic
let answer: { status: number; headers: Record<string, string>; body: Buffer }
beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume()
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const credentials = () => ({ secretId: 'id', secretKey: 'key' })
  lcic = createLcic({ endpoint: new URL(`http://127.0.0.1:${port}`), credentials })
})
afterAll(() => {
  lcic?.close()
  server?.close()
})

const jsonBody = (value: unknown) => Buffer.from(JSON.stringify(value))
const body = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  valueText.map((text) => Buffer.from(text)),
  valueText.map((text) => Buffer.from(`{"Response":${text}}`)),
  fc
    .tuple(
      fc.oneof(fc.constantFrom(...Object.keys(documented)), fc.string(), fc.jsonValue()),
      fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
      fc.oneof(fc.uuid(), fc.jsonValue()),
    )
    .map(([Code, Message, RequestId]) => jsonBody({ Response: { Error: { Code, Message }, RequestId } })),
  fc
    .tuple(fc.oneof(fc.nat(3), fc.jsonValue()), fc.oneof(fc.constant([]), fc.jsonValue()))
    .map(([Total, MemberRecords]) => jsonBody({ Response: { Total, MemberRecords, RequestId: 'r' } })),
)
const status = fc.oneof(fc.constant(200), fc.constantFrom(201, 302, 400, 403, 404, 408, 429, 500, 502, 503, 599))

always(
  'whatever status and bytes come, they are a page, a room, or one typed error that can be stored',
  [status, body, fc.constantFrom('application/json', 'text/html', 'application/json; charset=gbk'), fc.boolean()],
  async (code, bytes, type, isPage) => {
    answer = { status: code, headers: { 'content-type': type, 'retry-after': '7' }, body: bytes }
    try {
      const read = await (isPage ? lcic.describeRoomStatistics(1n, 1) : lcic.describeRoom(1n))
      expect(code).toBe(200)
      expect(read.requestId.length).toBeGreaterThan(0)
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      expect(kinds).toContain(error.kind)
      for (const text of [error.message, error.code, error.requestId ?? '']) {
        expect(text.isWellFormed() && !text.includes('\0')).toBe(true)
      }
      // That would say that LCIC is out of reach.
      expect(error.code).not.toBe('E_NETWORK')
      if (code === 429) expect(error).toMatchObject({ kind: 'throttled', retryAfterMs: 7000 })
      else if (code === 408 || code >= 500) expect(error).toMatchObject({ kind: 'transient', code: `E_HTTP_${code}` })
    }
  },
  { cases: 100 },
)
