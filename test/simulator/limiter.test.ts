import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mostInAnySlidingSecond, School } from '../../lib/simulator'
import { slidingSecond } from '../../lib/simulator/limiter'
import { asId, codeOf, sdkClient, withSimulator } from './client'

const arrivals = fc.array(fc.integer({ min: 0, max: 4000 }), { maxLength: 120 })
const limits = fc.integer({ min: 1, max: 8 })

function bruteForce(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((time) => time >= from && time < from + 1000).length))
}

describe('the limiter', () => {
  test('admits no more than its limit in any second, in whatever order requests are judged', () => {
    fc.assert(
      fc.property(arrivals, limits, (times, limit) => {
        const limiter = slidingSecond(limit)
        const admitted = times.filter((time) => limiter.admit(time) === undefined)
        expect(bruteForce(admitted)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test('refuses only what would make a second too full', () => {
    fc.assert(
      fc.property(arrivals, limits, (times, limit) => {
        const limiter = slidingSecond(limit)
        const admitted: number[] = []
        for (const time of times) {
          if (limiter.admit(time) === undefined) admitted.push(time)
          else expect(bruteForce([...admitted, time])).toBeGreaterThan(limit)
        }
      }),
    )
  })

  test('forgets old arrivals without forgetting the last second', () => {
    const limiter = slidingSecond(17)
    const admitted = Array.from({ length: 30_000 }, (_, index) => index * 3).filter(
      (time) => limiter.admit(time) === undefined,
    )
    expect(mostInAnySlidingSecond(admitted.map((arrivedAtMs) => ({ arrivedAtMs })))).toBe(17)
    expect(admitted).toHaveLength(90 * 17)
  })

  test.each([0, Number.POSITIVE_INFINITY])('knows no limit at %d', (limit) => {
    const limiter = slidingSecond(limit)
    expect(Array.from({ length: 1000 }, () => limiter.admit(1)).every((reached) => reached === undefined)).toBe(true)
  })

  test.each([-1, 1.5, Number.NaN])('takes no limit of %d', (limit) => {
    expect(() => slidingSecond(limit)).toThrow(RangeError)
  })
})

test('mostInAnySlidingSecond finds the fullest second', () => {
  fc.assert(
    fc.property(arrivals, (times) => {
      expect(mostInAnySlidingSecond(times.map((arrivedAtMs) => ({ arrivedAtMs })))).toBe(bruteForce(times))
    }),
  )
})

describe('the API', () => {
  test('refuses the 21st request in a second and takes it a second after the first', async () => {
    const school = new School()
    const request = { RoomId: asId(school.addRoom().roomId), Page: 1, Limit: 1 }
    let now = 1_000_000
    await withSimulator({ school, requestsPerSecond: {}, arrivalClock: { now: () => now } }, async (simulator) => {
      const client = sdkClient(simulator)
      for (let count = 1; count <= 20; count += 1) {
        expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('OK')
        now += 40
      }
      await expect(client.DescribeRoomStatistics(request)).rejects.toMatchObject({
        code: 'RequestLimitExceeded',
        message:
          'Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second. Please reduce the frequency of calls.',
      })
      // The limit is the action's own.
      expect(await codeOf(client.DescribeRoom({ RoomId: request.RoomId }))).toBe('OK')
      // A refused request counts for nothing: exactly a second after the first one there is room for one more.
      now = 1_000_000 + 1000
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('OK')
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('RequestLimitExceeded')
      const outcomes = simulator.requests.filter((entry) => entry.action === 'DescribeRoomStatistics')
      const admitted = outcomes.filter((entry) => entry.outcome === 'OK')
      expect(mostInAnySlidingSecond(admitted)).toBe(20)
    })
  })

  test('does not count requests that fail authentication', async () => {
    const school = new School()
    const request = { RoomId: asId(school.addRoom().roomId), Page: 1, Limit: 1 }
    const frozenTime = { arrivalClock: { now: () => 1 } }
    await withSimulator({ school, requestsPerSecond: 1, ...frozenTime }, async (simulator) => {
      const stranger = sdkClient(simulator, { ...simulator.credentials, secretKey: 'wrong' })
      await codeOf(stranger.DescribeRoomStatistics(request))
      const client = sdkClient(simulator)
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('OK')
      expect(await codeOf(client.DescribeRoomStatistics(request))).toBe('RequestLimitExceeded')
    })
  })

  test('counts a request whose parameters are wrong', async () => {
    const frozenTime = { arrivalClock: { now: () => 1 } }
    await withSimulator({ school: new School(), requestsPerSecond: 1, ...frozenTime }, async (simulator) => {
      const client = sdkClient(simulator)
      expect(await codeOf(client.DescribeRoom({ RoomId: 1 }))).toBe('ResourceNotFound.Room')
      expect(await codeOf(client.DescribeRoom({ RoomId: 1 }))).toBe('RequestLimitExceeded')
    })
  })
})
