import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { CallbackConfig } from '../../lib/config'
import { type Callback, CallbackError, MOST_CALLBACK_BYTES, readCallback, signCallback } from '../../lib/lcic/callback'
import { isStorableJson } from '../../lib/lcic/values'
import { always } from '../support/fuzz'
import { nameText, objectText, valueText } from '../support/json-text'

const now = Date.parse('2026-03-02T08:00:00Z')
const HOUR = 3_600_000
const key = 'a callback key'
const signed: CallbackConfig = { key, acceptUnsigned: false, sdkAppIds: [] }
const unsigned: CallbackConfig = { acceptUnsigned: true, sdkAppIds: [] }

/** What was read, or why nothing was: whatever else is thrown fails the test. */
function read(body: string, config: CallbackConfig, at = now): Callback | string {
  try {
    return readCallback(body, config, at)
  } catch (error) {
    if (error instanceof CallbackError) return error.code
    throw error
  }
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const expireTime = now / 1000 + 300
const genuine = (fields: object = {}) =>
  JSON.stringify({
    Timestamp: now / 1000,
    SdkAppId: 1400000001,
    ExpireTime: expireTime,
    Sign: signCallback(key, expireTime),
    EventType: 'RoomEnd',
    EventData: { RoomId: 312345678 },
    ...fields,
  })

const anything = fc.anything({ withBigInt: false, withNullPrototype: false, maxDepth: 2 })
const callback = fc.record(
  {
    EventType: fc.oneof(fc.constant('RoomEnd'), fc.string(), anything),
    SdkAppId: fc.oneof(fc.nat(), fc.double(), fc.string(), anything),
    ExpireTime: fc.oneof(fc.constant(expireTime), fc.constant(String(expireTime)), fc.integer(), fc.string(), anything),
    Sign: fc.oneof(fc.constant(signCallback(key, expireTime)), fc.string(), anything),
    EventData: fc.oneof(fc.record({ RoomId: fc.oneof(fc.nat(), anything) }), anything),
  },
  { requiredKeys: [] },
)
const names = ['EventType', 'SdkAppId', 'ExpireTime', 'Sign', 'EventData', 'RoomId', '__proto__', '']
const entry = fc.oneof(
  fc.tuple(nameText(names), valueText),
  fc.constantFrom<[string, string]>(
    ['"EventType"', '"RoomEnd"'],
    ['"EventData"', '{"RoomId":7}'],
    ['"EventData"', '{"RoomId":"8","RoomId":9}'],
    ['"ExpireTime"', String(expireTime)],
    ['"Sign"', JSON.stringify(signCallback(key, expireTime))],
  ),
)
const bodies = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.json(),
  callback.map((value) => JSON.stringify(value)),
  objectText(fc.array(entry, { maxLength: 8 })),
)
const configs = fc.constantFrom<CallbackConfig[]>(
  signed,
  unsigned,
  { acceptUnsigned: false, sdkAppIds: [] },
  { ...signed, acceptUnsigned: true, sdkAppIds: [1n] },
)

always(
  'whatever comes is refused as a CallbackError, or it is what may be accepted, signed and storable',
  [bodies, configs],
  (body, config) => {
    const found = read(body, config)
    if (typeof found === 'string') {
      expect(found).toMatch(/^E_CALLBACK_[A-Z_]+$/)
      return
    }
    const said = JSON.parse(body)
    if (typeof said.EventType === 'string') expect(found.eventType).toBe(said.EventType)
    expect(isStorableJson(said)).toBe(true)
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MOST_CALLBACK_BYTES)
    // Checked by other means than the code's own.
    if (config.key !== undefined && (said.Sign || !config.acceptUnsigned)) {
      expect(said.Sign).toBe(md5(`${config.key}${said.ExpireTime}`))
    }
    if (config.key === undefined) expect(config.acceptUnsigned).toBe(true)
    expect(found.endedRoomId === null).toBe(found.eventType !== 'RoomEnd')
    if (found.endedRoomId !== null) {
      expect(found.endedRoomId > 0n && found.endedRoomId < 2n ** 63n).toBe(true)
      if (Number.isSafeInteger(said.EventData.RoomId)) expect(found.endedRoomId).toBe(BigInt(said.EventData.RoomId))
    }
    if (config.sdkAppIds.length > 0 && found.sdkAppId !== null) expect(config.sdkAppIds).toContain(found.sdkAppId)
  },
  { cases: 1000 },
)

const byte = fc.integer({ min: 1, max: 255 })

always(
  'a byte that is changed anywhere never makes a signature that was not given: what is accepted is signed as before',
  [fc.nat(), byte],
  (place, flip) => {
    const bytes = Buffer.from(genuine())
    const at = place % bytes.length
    bytes[at] = (bytes[at] ?? 0) ^ flip
    const body = bytes.toString()
    if (typeof read(body, signed) === 'string') return
    expect(JSON.parse(body)).toMatchObject({ ExpireTime: expireTime, Sign: md5(`${key}${expireTime}`) })
  },
  { cases: 1000 },
)

always(
  'a byte that is changed in signature, time or key has the callback refused',
  [fc.constantFrom('Sign', 'ExpireTime', 'key'), fc.nat(), byte],
  (part, place, flip) => {
    const changed = (text: string) => {
      const bytes = Buffer.from(text)
      const at = place % bytes.length
      bytes[at] = (bytes[at] ?? 0) ^ flip
      return bytes.toString('latin1')
    }
    const found =
      part === 'key'
        ? read(genuine(), { ...signed, key: changed(key) })
        : read(
            genuine(
              part === 'Sign'
                ? { Sign: changed(signCallback(key, expireTime)) }
                : { ExpireTime: changed(String(expireTime)) },
            ),
            signed,
          )
    expect(['E_CALLBACK_SIGNATURE', 'E_CALLBACK_MALFORMED']).toContain(found)
  },
  { cases: 1000 },
)

always(
  'a signature is good from six hours before its ExpireTime until then, however the time is written, and not a millisecond longer',
  [fc.integer({ min: -7 * HOUR, max: HOUR }), fc.boolean()],
  (sinceMs, isText) => {
    const time = isText ? String(expireTime) : expireTime
    const found = read(genuine({ ExpireTime: time }), signed, expireTime * 1000 + sinceMs)
    if (sinceMs > 0) expect(found).toBe('E_CALLBACK_EXPIRED')
    else if (sinceMs < -6 * HOUR) expect(found).toBe('E_CALLBACK_FAR_FUTURE')
    else expect(found).toMatchObject({ endedRoomId: 312345678n })
  },
  { cases: 1000 },
)

always(
  'a room keeps every digit of its id, as a number and as text; beyond 2^63 - 1 it is no room',
  [fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.boolean()],
  (roomId, isText) => {
    const body = genuine().replace('312345678', isText ? `"${roomId}"` : String(roomId))
    const found = read(body, signed)
    if (roomId > 0n && roomId < 2n ** 63n) expect(found).toMatchObject({ endedRoomId: roomId })
    else expect(found).toBe('E_CALLBACK_MALFORMED')
  },
  { cases: 1000 },
)
