import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect } from 'vitest'
import { pushBackBudget, reserveSlot } from '../../lib/db/reserve-slot'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { always } from '../support/fuzz'

let database: TestDatabase
let budgets = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

const MINUTE = 60_000

async function serverNow(): Promise<number> {
  const { rows } = await sql<{
    now: number
  }>`select extract(epoch from clock_timestamp())::float8 * 1000 as now`.execute(database.db)
  return rows[0]?.now ?? Number.NaN
}

async function nextSlotOf(budget: string): Promise<number> {
  const { rows } = await sql<{ at: number }>`
    select extract(epoch from next_slot_at)::float8 * 1000 as at from archive.budgets where budget = ${budget}`.execute(
    database.db,
  )
  return rows[0]?.at ?? Number.NaN
}

/** A double of milliseconds since 1970 is exact to a quarter of a microsecond, and PostgreSQL counts in microseconds. */
const EXACT = 0.002
const spacing = fc.oneof(fc.constantFrom(52, 1040, 1), fc.double({ min: 0.0104, max: 100_000, noNaN: true }))
const patience = fc.oneof(fc.constant(1e12), fc.double({ min: 0, max: 2000, noNaN: true }))
const RESERVATIONS = 10
const step = fc.record({
  mostMs: patience,
  // What happens before.
  event: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.nat(3000).map((pauseMs) => ({ pauseMs })) },
    // The budget was idle, or is taken for a while, or the server's clock was set back.
    { weight: 1, arbitrary: fc.integer({ min: -MINUTE, max: 20 * MINUTE }).map((aheadMs) => ({ aheadMs })) },
  ),
})

always(
  'each slot is the spacing after the one before, or now if that is past; none is closer, none is lost, and who cannot wait takes none',
  [spacing, fc.array(step, { minLength: RESERVATIONS, maxLength: RESERVATIONS })],
  async (spacingMs, steps) => {
    const { db } = database
    const budget = `drawn ${budgets++}`
    let last: number | undefined
    for (const { mostMs, event } of steps) {
      if (event && 'pauseMs' in event) {
        const before = await nextSlotOf(budget)
        const asked = await serverNow()
        await pushBackBudget(db, { budget, pauseMs: event.pauseMs })
        if (last !== undefined) {
          const after = await nextSlotOf(budget)
          expect(after).toBeGreaterThanOrEqual(Math.max(before, asked + event.pauseMs) - EXACT)
          expect(after).toBeLessThanOrEqual(Math.max(before, (await serverNow()) + event.pauseMs) + EXACT)
        }
      } else if (event) {
        await sql`
          update archive.budgets set next_slot_at = clock_timestamp() + make_interval(secs => ${event.aheadMs / 1000}::float8)
          where budget = ${budget}`.execute(db)
        // Whatever was handed out before is of another time.
        last = undefined
      }
      const next = await nextSlotOf(budget)
      const before = await serverNow()
      const slot = await reserveSlot(db, { budget, spacingMs, mostMs })
      const after = await serverNow()
      const isNonsense = next > after + 5 * MINUTE + 1000 * spacingMs
      const isSense = !(next > before + 5 * MINUTE + 1000 * spacingMs)
      if (!slot) {
        expect(isNonsense).toBe(false)
        expect(next - before).toBeGreaterThanOrEqual(mostMs - EXACT)
        expect(await nextSlotOf(budget)).toBe(next)
        continue
      }
      expect(slot.now).toBeGreaterThanOrEqual(before - EXACT)
      expect(slot.now).toBeLessThanOrEqual(after + EXACT)
      expect(slot.slotAt - slot.now).toBeLessThanOrEqual(mostMs)
      // Either its turn, or now, within the time that the statement took.
      const isTurn = Math.abs(slot.slotAt - next) <= EXACT
      const isNow = slot.slotAt >= before - EXACT && slot.slotAt <= after + EXACT
      expect(isTurn || isNow).toBe(true)
      if (isSense && next > after) expect(isTurn).toBe(true)
      if (isNonsense) expect(isNow).toBe(true)
      if (last !== undefined && isSense) expect(slot.slotAt - last).toBeGreaterThanOrEqual(spacingMs - EXACT)
      expect(Math.abs((await nextSlotOf(budget)) - slot.slotAt - spacingMs)).toBeLessThanOrEqual(EXACT)
      last = slot.slotAt
    }
  },
  { cases: 20 * RESERVATIONS, casesAtOnce: RESERVATIONS },
)

const AT_ONCE = 50

always(
  'however many ask at once, their slots are exactly the spacing apart, and each is given to one',
  [fc.double({ min: 40, max: 5000, noNaN: true }), fc.constantFrom(1, 2, 5)],
  async (spacingMs, perAsker) => {
    const budget = `drawn ${budgets++}`
    const asker = async () => {
      const slots: number[] = []
      for (let asked = 0; asked < perAsker; asked++) {
        const slot = await reserveSlot(database.db, { budget, spacingMs, mostMs: 1e12 })
        slots.push(slot?.slotAt ?? Number.NaN)
      }
      return slots
    }
    const all = (await Promise.all(Array.from({ length: AT_ONCE / perAsker }, asker))).flat().sort((a, b) => a - b)
    expect(all).toHaveLength(AT_ONCE)
    for (const [index, slotAt] of all.entries()) {
      if (index > 0) expect(slotAt - (all[index - 1] ?? Number.NaN)).toBeGreaterThanOrEqual(spacingMs - EXACT)
    }
    // None is lost while there is somebody to ask; a machine that stands still for longer than a slot loses some.
    if (spacingMs > 1000)
      expect((all.at(-1) ?? 0) - (all[0] ?? 0)).toBeLessThanOrEqual((AT_ONCE - 1) * spacingMs + AT_ONCE * EXACT)
  },
  { cases: 4 * AT_ONCE, casesAtOnce: AT_ONCE },
)
