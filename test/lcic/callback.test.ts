import { describe, expect, test } from 'vitest'
import type { CallbackConfig } from '../../lib/config'
import { CallbackError, MOST_CALLBACK_BYTES, readCallback, signCallback } from '../../lib/lcic/callback'

const now = Date.parse('2026-03-02T08:00:00Z')
const inMinutes = (minutes: number) => now / 1000 + minutes * 60
const signed: CallbackConfig = { key: 'a callback key', acceptUnsigned: false, sdkAppIds: [] }
const unsigned: CallbackConfig = { acceptUnsigned: true, sdkAppIds: [] }

/** A callback as text, so that ids beyond 2^53 keep their digits. */
function roomEnd({
  roomId = '312345678',
  expireTime = inMinutes(5),
  sign = signCallback('a callback key', expireTime),
  more = '',
}: {
  roomId?: string
  expireTime?: number | string
  sign?: string
  more?: string
} = {}): string {
  return `{"Timestamp":${now / 1000},"SdkAppId":1400000001,"ExpireTime":${JSON.stringify(expireTime)},"Sign":"${sign}",
    "EventType":"RoomEnd","EventData":{"RoomId":${roomId}}${more}}`
}

function refusalOf(body: string, config: CallbackConfig = signed, at = now): [string, number] {
  try {
    readCallback(body, config, at)
  } catch (error) {
    if (error instanceof CallbackError) return [error.code, error.httpStatus]
    throw error
  }
  return ['accepted', 200]
}

test('the signature is the MD5 of key and ExpireTime, as in the documented example', () => {
  expect(signCallback('NjFGoDEy', 1614151508)).toBe('b9454ab5a85f9b7ad36071f5688ed34d')
  const config = { ...signed, key: 'NjFGoDEy' }
  const body = roomEnd({ expireTime: 1614151508, sign: 'b9454ab5a85f9b7ad36071f5688ed34d' })
  expect(refusalOf(body, config, 1614151508_000)).toEqual(['accepted', 200])
  expect(refusalOf(body, config, 1614151509_000)).toEqual(['E_CALLBACK_EXPIRED', 401])
})

test('a signed callback names its event, its app, and the room that ended', () => {
  expect(readCallback(roomEnd(), signed, now)).toEqual({
    eventType: 'RoomEnd',
    sdkAppId: 1400000001n,
    endedRoomId: 312345678n,
  })
})

test('ExpireTime may come as digits in a string, and ids, too', () => {
  const body = roomEnd({ roomId: '"9223372036854775807"', expireTime: String(inMinutes(5)) })
  expect(readCallback(body, signed, now).endedRoomId).toBe(2n ** 63n - 1n)
})

test('fields and events that are not known are accepted; only the end of a class names a room', () => {
  const more = ',"New":{"Field":[1,null]}'
  expect(readCallback(roomEnd({ more }), signed, now).endedRoomId).toBe(312345678n)
  for (const event of ['RoomStart', 'MemberJoin', 'never seen before']) {
    const body = roomEnd().replace('"RoomEnd"', JSON.stringify(event))
    expect(readCallback(body, signed, now)).toMatchObject({ eventType: event, endedRoomId: null })
  }
  // Of other events the data need have no form.
  expect(readCallback('{"EventType":"RecordFinish","EventData":7}', unsigned, now).endedRoomId).toBeNull()
})

// Made when they are tested: a mistake in the code should fail one test, and not the reading of all.
test.each<[string, () => string, string, number]>([
  [
    'a wrong signature',
    () => roomEnd({ sign: signCallback('another key', inMinutes(5)) }),
    'E_CALLBACK_SIGNATURE',
    401,
  ],
  [
    'upper case',
    () => roomEnd({ sign: signCallback('a callback key', inMinutes(5)).toUpperCase() }),
    'E_CALLBACK_SIGNATURE',
    401,
  ],
  ['another length', () => roomEnd({ sign: 'é' }), 'E_CALLBACK_SIGNATURE', 401],
  [
    'that of another time',
    () => roomEnd({ sign: signCallback('a callback key', inMinutes(6)) }),
    'E_CALLBACK_SIGNATURE',
    401,
  ],
  ['no signature', () => roomEnd({ sign: '' }), 'E_CALLBACK_UNSIGNED', 401],
  ['no ExpireTime', () => '{"EventType":"RoomEnd","Sign":"a"}', 'E_CALLBACK_UNSIGNED', 401],
  ['one that expired a second ago', () => roomEnd({ expireTime: now / 1000 - 1 }), 'E_CALLBACK_EXPIRED', 401],
  [
    'one that is valid for more than six hours',
    () => roomEnd({ expireTime: inMinutes(360) + 1 }),
    'E_CALLBACK_FAR_FUTURE',
    401,
  ],
  ['an endless one', () => roomEnd({ expireTime: '999999999999' }), 'E_CALLBACK_FAR_FUTURE', 401],
  ['a letter before its time', () => roomEnd({ expireTime: `x${inMinutes(5)}` }), 'E_CALLBACK_MALFORMED', 400],
  ['a letter behind its time', () => roomEnd({ expireTime: `${inMinutes(5)}x` }), 'E_CALLBACK_MALFORMED', 400],
  ['half a second', () => roomEnd({ expireTime: inMinutes(5) + 0.5 }), 'E_CALLBACK_MALFORMED', 400],
  ['a signature that is a number', () => '{"EventType":"RoomEnd","Sign":7}', 'E_CALLBACK_MALFORMED', 400],
  ['something that is no JSON', () => 'EventType=RoomEnd', 'E_CALLBACK_MALFORMED', 400],
  ['nothing', () => '', 'E_CALLBACK_MALFORMED', 400],
  ['a list', () => '[]', 'E_CALLBACK_MALFORMED', 400],
  ['null', () => 'null', 'E_CALLBACK_MALFORMED', 400],
  ['no event', () => roomEnd().replace('EventType', 'Event'), 'E_CALLBACK_MALFORMED', 400],
  ['an end of no room', () => roomEnd().replace('RoomId', 'Room'), 'E_CALLBACK_MALFORMED', 400],
  ['room 0', () => roomEnd({ roomId: '0' }), 'E_CALLBACK_MALFORMED', 400],
  ['room -1', () => roomEnd({ roomId: '-1' }), 'E_CALLBACK_MALFORMED', 400],
  ['room 1.5', () => roomEnd({ roomId: '1.5' }), 'E_CALLBACK_MALFORMED', 400],
  ['a room beyond 2^63 - 1', () => roomEnd({ roomId: '9223372036854775808' }), 'E_CALLBACK_MALFORMED', 400],
  ['a NUL, which PostgreSQL cannot hold', () => roomEnd({ more: ',"A":"\\u0000"' }), 'E_CALLBACK_MALFORMED', 400],
  ['half a character', () => roomEnd({ more: ',"A":"\\ud800"' }), 'E_CALLBACK_MALFORMED', 400],
  ['depths', () => roomEnd({ more: `,"A":${'['.repeat(30_000)}${']'.repeat(30_000)}` }), 'E_CALLBACK_MALFORMED', 400],
  ['one byte too many', () => roomEnd().padEnd(MOST_CALLBACK_BYTES + 1), 'E_CALLBACK_TOO_LARGE', 413],
  ['too many bytes in few characters', () => `{"A":"${'课'.repeat(22_000)}"}`, 'E_CALLBACK_TOO_LARGE', 413],
])('%s is refused', (_, body, code, status) => {
  expect(refusalOf(body())).toEqual([code, status])
})

test.each<[string, () => string, CallbackConfig]>([
  ['A callback has at most 65536 bytes.', () => roomEnd().padEnd(MOST_CALLBACK_BYTES + 1), signed],
  ['The callback cannot be read: it is not JSON.', () => '{', unsigned],
  [
    'The callback cannot be read: ExpireTime or Sign has an impossible value.',
    () => roomEnd({ expireTime: 'soon' }),
    signed,
  ],
  ['Callbacks cannot be checked: set LCIC_CALLBACK_KEY.', roomEnd, { acceptUnsigned: false, sdkAppIds: [] }],
  ['The callback is not signed.', () => roomEnd({ sign: '' }), signed],
  ['The signature of the callback is wrong.', () => roomEnd({ sign: 'f'.repeat(32) }), signed],
  ['The signature of the callback has expired.', () => roomEnd({ expireTime: inMinutes(-1) }), signed],
  ['The signature of the callback is valid for too long.', () => roomEnd({ expireTime: inMinutes(361) }), signed],
  [
    'The callback cannot be read: it has texts or depths that cannot be stored.',
    () => roomEnd({ more: ',"A":"\\u0000"' }),
    signed,
  ],
  [
    'The callback cannot be read: it lacks an EventType, or SdkAppId is no whole number.',
    () => roomEnd().replace('EventType', 'Event'),
    signed,
  ],
  ['The callback is of an app that LCIC_SDK_APP_IDS does not name.', roomEnd, { ...signed, sdkAppIds: [7n] }],
  ['The callback cannot be read: EventData has no RoomId from 1 to 2^63 - 1.', () => roomEnd({ roomId: '0' }), signed],
])('who sends it is told: %s', (message, body, config) => {
  expect(() => readCallback(body(), config, now)).toThrow(message)
})

test('64 KB are accepted, and six hours', () => {
  expect(refusalOf(roomEnd().padEnd(MOST_CALLBACK_BYTES))).toEqual(['accepted', 200])
  expect(refusalOf(roomEnd({ expireTime: inMinutes(360) }))).toEqual(['accepted', 200])
  expect(refusalOf(roomEnd({ expireTime: now / 1000 }))).toEqual(['accepted', 200])
})

describe('what is not signed', () => {
  const body = roomEnd({ sign: '' })

  test('is refused where no key is set, whatever it says', () => {
    for (const text of [body, roomEnd()]) {
      expect(refusalOf(text, { acceptUnsigned: false, sdkAppIds: [] })).toEqual(['E_CALLBACK_NO_KEY', 401])
    }
  })

  test('is accepted where that is allowed; a signature that is there must be right even so', () => {
    expect(refusalOf(body, unsigned)).toEqual(['accepted', 200])
    expect(refusalOf(body, { ...signed, acceptUnsigned: true })).toEqual(['accepted', 200])
    const forged = roomEnd({ sign: signCallback('another key', inMinutes(5)) })
    expect(refusalOf(forged, { ...signed, acceptUnsigned: true })).toEqual(['E_CALLBACK_SIGNATURE', 401])
  })
})

test('callbacks of apps that are not configured are refused; of one that names none nothing is known', () => {
  const config = { ...signed, sdkAppIds: [1400000002n, 9007199254740993n] }
  expect(refusalOf(roomEnd(), config)).toEqual(['E_CALLBACK_APP', 403])
  expect(refusalOf(roomEnd().replace('1400000001', '1400000002'), config)).toEqual(['accepted', 200])
  // As doubles the two ids are one.
  expect(refusalOf(roomEnd().replace('1400000001', '9007199254740993'), config)).toEqual(['accepted', 200])
  expect(refusalOf(roomEnd().replace('1400000001', '9007199254740992'), config)).toEqual(['E_CALLBACK_APP', 403])
  expect(refusalOf(roomEnd().replace('"SdkAppId":1400000001,', ''), config)).toEqual(['accepted', 200])
  expect(refusalOf(roomEnd().replace('1400000001', '"many"'), config)).toEqual(['E_CALLBACK_MALFORMED', 400])
})

test('whoever has no key learns nothing of what else is wrong', () => {
  const forged = roomEnd({ sign: 'f'.repeat(32), roomId: '-1' }).replace('EventType', 'Event')
  expect(refusalOf(forged, { ...signed, sdkAppIds: [7n] })).toEqual(['E_CALLBACK_SIGNATURE', 401])
})
