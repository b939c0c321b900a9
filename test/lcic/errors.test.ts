import { describe, expect, test } from 'vitest'
import { isUnreachable, kindOfCode, mayConcernApp, mayConcernRoom, mendOf, SourceError } from '../../lib/lcic/errors'

describe('each code has its mend', () => {
  test.each([
    ['AuthFailure.SignatureExpire', "This machine's clock is off by more than 5 minutes: set it."],
    [
      'AuthFailure.TokenFailure',
      'Check TENCENTCLOUD_SESSION_TOKEN: it is wrong, expired, or belongs to other credentials.',
    ],
    ['AuthFailure.SignatureFailure', 'Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.'],
    ['AuthFailure', 'Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.'],
    [
      'UnauthorizedOperation.CAM',
      'Grant lcic:DescribeRoomStatistics, lcic:GetRooms and lcic:DescribeRoom to the user or role that the credentials belong to.',
    ],
    ['UnsupportedRegion', 'Check LCIC_REGION, or unset it.'],
    [
      'IpNotInWhitelist',
      "This machine's public address is not allowed to use the API key: change the key's address list in the console.",
    ],
    [
      'InvalidParameter',
      'Check LCIC_ENDPOINT; if it is right, the API has changed: look for a newer version of this program.',
    ],
  ])('%s', (code, mend) => {
    expect(mendOf(code)).toBe(mend)
    const known = mendOf(code) !== mendOf('')
    expect(mendOf(code, 'Check the app.')).toBe(known ? mend : 'Check the app.')
  })
})

test('what is wrongly asked may be due to the room, a missing right to the app, and nothing else to either', () => {
  for (const code of ['InvalidParameter', 'MissingParameter', 'UnknownParameter', 'UnsupportedOperation']) {
    expect([mayConcernRoom(code), mayConcernApp(code)]).toEqual([true, true])
  }
  expect(mayConcernRoom('UnauthorizedOperation.CAM')).toBe(false)
  expect(mayConcernApp('UnauthorizedOperation.CAM')).toBe(true)
  for (const code of ['AuthFailure', 'AuthFailure.InvalidSecretId', 'Other.UnauthorizedOperation', '']) {
    expect([mayConcernRoom(code), mayConcernApp(code)]).toEqual([false, false])
  }
})

test('a family is what a code begins with, not what it holds', () => {
  expect(kindOfCode('Other.AuthFailure')).toBe('unknown')
  expect(kindOfCode('FailedOperation.InvalidState')).toBe('unknown')
})

test.each([
  'AuthFailure',
  'UnauthorizedOperation',
  'InvalidAction',
  'MissingParameter',
  'UnknownParameter',
  'UnsupportedProtocol',
  'NoSuchProduct',
  'ActionOffline',
  'IpInBlacklist',
])('%s is a matter of configuration', (code) => {
  expect(kindOfCode(code)).toBe('configuration')
})

test('LCIC is out of reach where no answer came, and nowhere else', () => {
  expect(['E_NETWORK', 'E_TIMEOUT', 'E_HTTP_500', 'InternalError', undefined].map(isUnreachable)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})

test('of what LCIC says so much is kept as a column is to hold, and the rest is left out before it is looked through', () => {
  const long = 'x'.repeat(3000)
  const { code, message, requestId } = new SourceError('unknown', long, long, { requestId: long })
  expect([code.length, message.length, requestId?.length]).toEqual([200, 500, 200])
  // Of what is behind 2,000 characters nothing is kept, however short what is before becomes.
  const secret = `postgres://user:${'p'.repeat(1900)}@host ${long}`
  const { message: short } = new SourceError('unknown', 'c', secret)
  expect(short).toMatch(/^postgres:\/\/user:\(password\)@host x{10,100}$/)
})

test('an error without an answer has no RequestId and asks for no pause', () => {
  const error = new SourceError('transient', 'E_NETWORK', 'no')
  expect([error.requestId, error.retryAfterMs]).toEqual([undefined, undefined])
  expect(new SourceError('throttled', 'c', 'no', { requestId: 'a\0', retryAfterMs: 7 })).toMatchObject({
    requestId: 'a\u{FFFD}',
    retryAfterMs: 7,
  })
})

test.each([
  ['FailedOperation', 'transient'],
  ['FailedOperation.ClassExpired', 'expired'],
  ['FailedOperation.RequestTimedOut', 'transient'],
  ['FailedOperation.RoomNotEnd', 'not_ended'],
  ['ResourceNotFound.Room', 'gone'],
  ['InternalError.Any', 'transient'],
  ['LimitExceeded.Any', 'throttled'],
  ['RequestLimitExceeded.Any', 'throttled'],
  ['ResourceUnavailable.RoomStatistics', 'not_ready'],
  ['ServiceUnavailable.Any', 'transient'],
])('%s is %s', (code, kind) => {
  expect(kindOfCode(code)).toBe(kind)
})
