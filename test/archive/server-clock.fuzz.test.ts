import fc from 'fast-check'
import { expect } from 'vitest'
import { createServerClock } from '../../lib/archive/server-clock'
import { always } from '../support/fuzz'

/** Question and answer: how long each was on its way, and how long passes until the next. Milliseconds. */
const exchange = fc.record({ there: fc.nat(3000), back: fc.nat(3000), pause: fc.nat(60_000) })

always(
  'the database’s time is told never too early, and never later than the quickest of the last eight answers was on its way',
  [fc.array(exchange, { minLength: 1, maxLength: 20 }), fc.integer({ min: -1e9, max: 1e9 }), fc.nat(1e6)],
  (exchanges, aheadMs, slotInMs) => {
    const clock = createServerClock()
    const ways: number[] = []
    let now = 1_700_000_000_000
    for (const { there, back, pause } of exchanges) {
      const askedAt = now
      const serverNow = askedAt + there + aheadMs
      const answeredAt = askedAt + there + back
      const slotAt = serverNow + slotInMs
      ways.push(back)
      const lateMs = clock.toLocal(slotAt, { askedAt, serverNow, answeredAt }) - (slotAt - aheadMs)
      expect(lateMs).toBeGreaterThanOrEqual(0)
      expect(lateMs).toBeLessThanOrEqual(Math.min(...ways.slice(-8)))
      now = answeredAt + pause
    }
  },
)

always(
  'where the database’s clock is set, the time is right again after eight answers, and until then no slot is before its question',
  [
    fc.array(exchange, { minLength: 9, maxLength: 12 }),
    fc.integer({ min: -1e7, max: 1e7 }),
    fc.integer({ min: -1e7, max: 1e7 }),
  ],
  (exchanges, firstAheadMs, thenAheadMs) => {
    const clock = createServerClock()
    let now = 1_700_000_000_000
    const tell = (aheadMs: number, { there, back, pause }: { there: number; back: number; pause: number }) => {
      const askedAt = now
      const serverNow = askedAt + there + aheadMs
      now = askedAt + there + back
      const local = clock.toLocal(serverNow, { askedAt, serverNow, answeredAt: now })
      expect(local).toBeGreaterThanOrEqual(askedAt)
      now += pause
      return local - (serverNow - aheadMs)
    }
    tell(firstAheadMs, { there: 1, back: 1, pause: 0 })
    const latest = exchanges.map((one) => tell(thenAheadMs, one)).at(-1)
    expect(latest).toBeGreaterThanOrEqual(0)
    expect(latest).toBeLessThanOrEqual(Math.min(...exchanges.slice(-8).map(({ back }) => back)))
  },
)
