import { describe, expect, test } from 'vitest'
import { School } from '../../lib/simulator'
import { asId, codeOf, rawCall, sdkClient, withSimulator } from './client'

const minute = 60_000

function schoolOfOne() {
  const school = new School()
  const room = school.addRoom({ members: 3 })
  const request = { RoomId: asId(room.roomId), Page: 1, Limit: 10 }
  return { school, request }
}

describe('the official SDK', () => {
  test('is let in with the right key', async () => {
    const { school, request } = schoolOfOne()
    await withSimulator({ school }, async (simulator) => {
      expect(await codeOf(sdkClient(simulator).DescribeRoomStatistics(request))).toBe('OK')
    })
  })

  test('is let in at an endpoint without dots', async () => {
    const { school, request } = schoolOfOne()
    await withSimulator({ school, host: 'localhost' }, async (simulator) => {
      const client = sdkClient(simulator)
      client.endpoint = `localhost:${simulator.port}`
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('OK')
    })
  })

  test.each([
    ['AuthFailure.SignatureFailure', { secretKey: 'wrong' }],
    ['AuthFailure.SecretIdNotFound', { secretId: 'unknown' }],
    ['AuthFailure.TokenFailure', { token: 'permanent keys have none' }],
  ])('meets %s with %j', async (code, change) => {
    const { school, request } = schoolOfOne()
    await withSimulator({ school }, async (simulator) => {
      const client = sdkClient(simulator, { ...simulator.credentials, ...change })
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe(code)
      expect(simulator.requests).toMatchObject([{ outcome: code }])
    })
  })

  test('needs the token of a temporary credential', async () => {
    const { school, request } = schoolOfOne()
    const credentials = { secretId: 'id', secretKey: 'key', token: 'token' }
    await withSimulator({ school, credentials }, async (simulator) => {
      const codeWith = (token: string | undefined) => {
        const client = sdkClient(simulator, { secretId: 'id', secretKey: 'key', ...(token && { token }) })
        return codeOf(client.DescribeRoomStatistics(request))
      }
      expect(await codeWith('token')).toBe('OK')
      expect(await codeWith('tokem')).toBe('AuthFailure.TokenFailure')
      expect(await codeWith(undefined)).toBe('AuthFailure.TokenFailure')
    })
  })

  test.each([
    [6 * minute, 'AuthFailure.SignatureExpire'],
    [-6 * minute, 'AuthFailure.SignatureExpire'],
    [4 * minute, 'OK'],
    [-4 * minute, 'OK'],
  ])('with a clock that is off by %d ms meets %s', async (skewMs, code) => {
    const { school, request } = schoolOfOne()
    // The class ended half an hour ago on either clock.
    await withSimulator({ school, clock: { now: () => Date.now() + skewMs } }, async (simulator) => {
      expect(await codeOf(sdkClient(simulator).DescribeRoomStatistics(request))).toBe(code)
    })
  })

  test('is let in to a school of another time when the gateway has the present one', async () => {
    const nowMs = Date.parse('2024-05-17T12:00:00Z')
    const school = new School({ nowMs })
    const { roomId } = school.addRoom()
    const clocks = { clock: { now: () => nowMs }, gatewayClock: { now: () => Date.now() } }
    await withSimulator({ school, ...clocks }, async (simulator) => {
      const request = { RoomId: asId(roomId), Page: 1, Limit: 10 }
      expect(await codeOf(sdkClient(simulator).DescribeRoomStatistics(request))).toBe('OK')
    })
  })
})

describe('a signature', () => {
  test.each([
    ['the host with its port', (port: number) => `127.0.0.1:${port}`, 'OK'],
    ['the host without its port', () => '127.0.0.1', 'OK'],
    ['another host', () => 'lcic.tencentcloudapi.com', 'AuthFailure.SignatureFailure'],
  ])('may sign %s', async (_what, hostOf, code) => {
    await withSimulator({ school: new School() }, async (simulator) => {
      const headers = [
        ['content-type', 'application/json'],
        ['host', hostOf(simulator.port)],
      ] as const
      const answer = await rawCall(simulator, { action: 'GetRooms', body: '{"SdkAppId":1}', signed: { headers } })
      expect(answer.code).toBe(code)
    })
  })

  test.each([
    ['of another body', { signed: { payload: '{"SdkAppId":2}' } }],
    ['of another method', { signed: { method: 'GET' } }],
    ['of another query', { signed: { query: 'a=1' } }],
    ['of another day', { scopeDate: '2019-02-25' }],
    ['for another product', { signed: { service: 'cvm' } }],
    ['that leaves the host out', { signed: { headers: [['content-type', 'application/json']] as const } }],
    ['with a timestamp of its own', { headers: { 'x-tc-timestamp': String(Math.floor(Date.now() / 1000) - 60) } }],
  ])('%s is refused', async (_what, call) => {
    await withSimulator({ school: new School() }, async (simulator) => {
      const answer = await rawCall(simulator, { action: 'GetRooms', body: '{"SdkAppId":1}', ...call })
      expect(answer.code).toBe('AuthFailure.SignatureFailure')
    })
  })

  test.each(['SKIP', 'Bearer x', 'TC3-HMAC-SHA256 Credential=a/2024-01-01/lcic/tc3_request'])(
    'of no form is refused: %s',
    async (authorization) => {
      await withSimulator({ school: new School() }, async (simulator) => {
        const answer = await rawCall(simulator, { headers: { authorization } })
        expect(answer.code).toBe('AuthFailure.InvalidAuthorization')
      })
    },
  )
})
