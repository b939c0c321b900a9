import fc from 'fast-check'
import { afterAll, beforeAll, expect } from 'vitest'
import { createBudget, SlotMissedError, slotSpacingMs } from '../../lib/archive/budget'
import type { Clock } from '../../lib/clock'
import type { Lcic } from '../../lib/lcic/client'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { always } from '../support/fuzz'

let database: TestDatabase
let budgets = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

always(
  'slots are 4 % further apart than the rate says, so that 96 % of it is used',
  [fc.double({ min: 0.001, max: 100_000, noNaN: true })],
  (rate) => {
    expect(slotSpacingMs(rate) * rate).toBeCloseTo(1040, 6)
  },
)

const USES = 20
const use = fc.record({
  lateMs: fc.oneof(fc.constantFrom(0, 24, 26), fc.double({ min: 0, max: 60, noNaN: true })),
  pauseMs: fc.option(fc.nat(3000)),
  isAnew: fc.boolean(),
})

always(
  'a slot is used up to 25 ms after it has come and not later, and not before a refusal that came meanwhile is a second old',
  [fc.array(use, { minLength: USES, maxLength: USES })],
  async (uses) => {
    const own = `drawn ${budgets++}`
    // It only has to say whose budget it is; nothing is sent.
    const lcic: Pick<Lcic, 'budgetOf' | 'prepare'> = { budgetOf: () => own, prepare: async () => undefined }
    let time = 0
    const clock: Clock = {
      now: () => time,
      async sleep(durationMs) {
        time += durationMs
      },
    }
    const budget = createBudget({ db: database.db, lcic: lcic as Lcic, clock, requestsPerSecond: 100_000 })
    let slot = await budget.take('GetRooms', { mostMs: 1e12 })
    let takenAt = time
    let pausedUntil = 0
    for (const { lateMs, pauseMs, isAnew } of uses) {
      if (isAnew) {
        slot = await budget.take('GetRooms', { mostMs: 1e12 })
        takenAt = time
      }
      if (pauseMs !== null) {
        await budget.pushBack('GetRooms', pauseMs)
        pausedUntil = Math.max(pausedUntil, time + Math.max(1000, pauseMs))
      }
      time = Math.max(time, takenAt + lateMs)
      // Whoever takes one sleeps for whole milliseconds.
      const isGood = time - takenAt <= 24 && time >= pausedUntil
      if (isGood) slot.use()
      else if (time - takenAt > 25 || time < pausedUntil) expect(() => slot.use()).toThrow(SlotMissedError)
    }
  },
  { cases: 10 * USES, casesAtOnce: USES },
)
