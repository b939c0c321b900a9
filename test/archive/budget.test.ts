import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { archiveRoom } from '../../lib/archive/archive-room'
import { type Budget, createBudget, SlotMissedError, slotSpacingMs } from '../../lib/archive/budget'
import { type Clock, systemClock } from '../../lib/clock'
import { LEASE_MS } from '../../lib/db/leases'
import { pushBackBudget, reserveSlot } from '../../lib/db/reserve-slot'
import { createLcic, type Lcic } from '../../lib/lcic/client'
import { openTestArchive, type TestArchive } from '../support/archive'
import { createTestDatabase } from '../support/database'
import { hastyClock } from '../support/hasty-clock'

let archive: TestArchive
beforeAll(async () => {
  archive = await openTestArchive({ clock: systemClock, requestsPerSecond: 20, frozen: true })
})
afterAll(() => archive.close())

const budget = 'of a test'

async function nextSlotMs(): Promise<number> {
  const { rows } = await sql<{ ms: number }>`
    select extract(epoch from next_slot_at - clock_timestamp())::float8 * 1000 as ms
    from archive.budgets where budget = ${budget}`.execute(archive.db)
  return rows[0]?.ms ?? Number.NaN
}

test('slots are handed out in order, each the spacing after the one before, whoever asks', async () => {
  const reservations = Array.from({ length: 40 }, () =>
    reserveSlot(archive.db, { budget, spacingMs: 1000, mostMs: 1e9 }),
  )
  const slots = (await Promise.all(reservations)).map((slot) => slot?.slotAt ?? Number.NaN).sort((a, b) => a - b)
  slots.forEach((slotAt, index) => {
    expect(slotAt - (slots[0] ?? 0)).toBeCloseTo(index * 1000, 0)
  })
})

test('a slot further away than the caller can wait is not reserved', async () => {
  const before = await nextSlotMs()
  expect(await reserveSlot(archive.db, { budget, spacingMs: 1000, mostMs: 2000 })).toBeUndefined()
  expect(await nextSlotMs()).toBeLessThanOrEqual(before)
})

test('a budget that was idle starts now: time unused is not saved up', async () => {
  await sql`update archive.budgets set next_slot_at = clock_timestamp() - interval '1 hour' where budget = ${budget}`.execute(
    archive.db,
  )
  const first = await reserveSlot(archive.db, { budget, spacingMs: 1000, mostMs: 1e9 })
  const second = await reserveSlot(archive.db, { budget, spacingMs: 1000, mostMs: 1e9 })
  expect((first?.slotAt ?? Number.NaN) - (first?.now ?? 0)).toBeLessThanOrEqual(0)
  expect((first?.slotAt ?? Number.NaN) - (first?.now ?? 0)).toBeGreaterThan(-1000)
  expect((second?.slotAt ?? 0) - (first?.slotAt ?? 0)).toBeCloseTo(1000, 0)
})

test('a budget from before the database clock was set back starts anew', async () => {
  await sql`update archive.budgets set next_slot_at = clock_timestamp() + interval '1 day' where budget = ${budget}`.execute(
    archive.db,
  )
  const slot = await reserveSlot(archive.db, { budget, spacingMs: 50, mostMs: 1000 })
  expect((slot?.slotAt ?? Number.NaN) - (slot?.now ?? 0)).toBeLessThanOrEqual(0)
  // A slow budget, on which many wait, is as far ahead as that.
  await sql`update archive.budgets set next_slot_at = clock_timestamp() + interval '1 day' where budget = ${budget}`.execute(
    archive.db,
  )
  expect(await reserveSlot(archive.db, { budget, spacingMs: 100_000, mostMs: 1000 })).toBeUndefined()
})

test('a refusal pushes the budget back for everyone, and the row that a crash took is made anew', async () => {
  const { db, context } = archive
  const shared = createBudget({ db, lcic: context.lcic, clock: hastyClock, requestsPerSecond: 20 })
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  await shared.pushBack('DescribeRoomStatistics', 30_000)
  const mostMs = 20_000
  const failure = createBudget({ db, lcic: context.lcic, clock: hastyClock, requestsPerSecond: 20 }).take(
    'DescribeRoomStatistics',
    { mostMs },
  )
  const message = 'No slot of the request budget is free in the time that is left.'
  await expect(failure).rejects.toMatchObject({ kind: 'throttled', code: 'E_BUDGET', message })
  await sql`truncate archive.budgets`.execute(db)
  await createBudget({ db, lcic: context.lcic, clock: hastyClock, requestsPerSecond: 20 }).take(
    'DescribeRoomStatistics',
    { mostMs },
  )
})

test('where a crash took the budgets of an archive at work, slots reserved before are over before there are new ones', async () => {
  const own = await createTestDatabase()
  const slotInMs = async (name: string, mostMs: number) => {
    const slot = await reserveSlot(own.db, { budget: name, spacingMs: 50, mostMs })
    return slot && slot.slotAt - slot.now
  }
  try {
    expect(await slotInMs('of a new archive', 1000)).toBeLessThanOrEqual(0)
    await sql`truncate archive.budgets`.execute(own.db)
    await sql`insert into archive.runs (room_id, attempt, started_at) values (1, 1, now())`.execute(own.db)
    // The first attempt of all begins before its first request.
    expect(await slotInMs('of a new archive', 1000)).toBeLessThanOrEqual(0)
    await sql`update archive.runs set finished_at = now(), outcome = 'archived'`.execute(own.db)
    expect(await slotInMs('of another action', 1000)).toBeLessThanOrEqual(0)
    await sql`truncate archive.budgets`.execute(own.db)
    expect(await slotInMs('lost', 4000)).toBeUndefined()
    const waitMs = (await slotInMs('lost', 1e9)) ?? 0
    expect(waitMs).toBeGreaterThan(4000)
    expect(waitMs).toBeLessThanOrEqual(5050)
  } finally {
    await own.drop()
  }
})

test('a refusal pushes back its own budget alone, and never brings slots forward', async () => {
  const { db } = archive
  const [refused, other] = ['refused', 'other']
  for (const name of [refused, other]) await reserveSlot(db, { budget: name, spacingMs: 1000, mostMs: 1e9 })
  const next = async () => {
    const rows = await db.selectFrom('archive.budgets').select(['budget', 'next_slot_at']).execute()
    return Object.fromEntries(rows.map(({ budget, next_slot_at }) => [budget, next_slot_at.getTime()]))
  }
  const before = await next()
  await pushBackBudget(db, { budget: refused, pauseMs: 60_000 })
  const after = await next()
  expect(after[other]).toBe(before[other])
  expect(after[refused]).toBeGreaterThan((before[refused] ?? Number.NaN) + 50_000)
  await pushBackBudget(db, { budget: refused, pauseMs: 1 })
  expect(await next()).toEqual(after)
  await sql`truncate archive.budgets`.execute(db)
})

test('a slot that was handed out before a refusal is not used', async () => {
  const clock = handClock()
  const shared = createBudget({ ...archive.context, clock, requestsPerSecond: 1000 })
  const slot = await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  slot.use()
  await shared.pushBack('DescribeRoomStatistics', 0)
  expect(() => slot.use()).toThrow(SlotMissedError)
  clock.time += 1000
  const next = await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  const takenAt = clock.time
  // A refusal that was a second ago by then.
  clock.time = takenAt - 1000
  await shared.pushBack('DescribeRoomStatistics', 0)
  clock.time = takenAt
  next.use()
  await sql`truncate archive.budgets`.execute(archive.db)
})

test('who is more than 25 ms late for a slot has missed it, and first looks whether it wakes up in time', async () => {
  const clock = handClock()
  const shared = createBudget({ ...archive.context, clock, requestsPerSecond: 1000 })
  const slot = await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  clock.time += 25
  slot.use()
  clock.slept.length = 0
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  expect(clock.slept.filter((ms) => ms === 10)).toHaveLength(0)
  clock.time += 1
  expect(() => slot.use()).toThrow(SlotMissedError)
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  expect(clock.slept.filter((ms) => ms === 10)).toHaveLength(10)
  await sql`truncate archive.budgets`.execute(archive.db)
})

/** Whose budget it is, and how often there was something to prepare, on a machine that wakes up late by so long, in turn. */
function lateMachine(name: string, lateMs: readonly number[]) {
  const clock = handClock()
  let prepared = 0
  const lcic: Pick<Lcic, 'budgetOf' | 'prepare'> = {
    budgetOf: () => name,
    async prepare() {
      prepared++
    },
  }
  const late: Clock = {
    now: () => clock.now(),
    async sleep(durationMs, signal) {
      await clock.sleep(durationMs, signal)
      clock.time += lateMs[clock.slept.length - 1] ?? lateMs.at(-1) ?? 0
    },
  }
  const { db } = archive
  const shared = createBudget({ db, lcic: lcic as Lcic, clock: late, requestsPerSecond: 1000 })
  return { shared, slept: clock.slept, prepared: () => prepared }
}

test('a machine that wakes up in time ten times in a row is steady; 5 ms late are in time, and 6 are not', async () => {
  const { shared, slept, prepared } = lateMachine('of a late machine', [...Array(9).fill(5), 6, 5])
  await shared.take('GetRooms', { mostMs: 1e9 })
  expect(slept).toEqual(Array(20).fill(10))
  expect(prepared()).toBe(20)
  await shared.take('GetRooms', { mostMs: 1e9 })
  expect(prepared()).toBe(20)
})

test('a machine that never wakes up in time is not waited for longer than three seconds', async () => {
  const { shared, slept } = lateMachine('of a hopeless machine', [20])
  await shared.take('GetRooms', { mostMs: 1e9 })
  expect(slept).toEqual(Array(100).fill(10))
})

test('a slot is awaited, a long time in parts of ten seconds, in each of which the waiting one is kept alive', async () => {
  const clock = handClock()
  const shared = createBudget({ ...archive.context, clock, requestsPerSecond: 1 / 60 })
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  // One that is there already is not slept for.
  expect(clock.slept).toEqual(Array(10).fill(10))
  const keepAlive = vi.fn(async () => undefined)
  clock.slept.length = 0
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9, keepAlive })
  expect(clock.slept.slice(0, -1)).toEqual(Array(6).fill(10_000))
  expect(clock.slept.at(-1)).toBeLessThanOrEqual(2400)
  expect(clock.slept.at(-1)).toBeGreaterThan(0)
  expect(keepAlive).toHaveBeenCalledTimes(6)
  // Who has nothing to keep alive waits for the one after, the same way.
  clock.slept.length = 0
  await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  expect(clock.slept.slice(0, -1)).toEqual(Array(12).fill(10_000))
  await sql`truncate archive.budgets`.execute(archive.db)
})

test('a process reserves three slots ahead at most, and hands them out in about the order in which they were asked for', async () => {
  const { db, context } = archive
  const budgetName = context.lcic.budgetOf('DescribeRoomStatistics')
  let aheadMs = 0
  const clock: Clock = {
    ...hastyClock,
    async sleep(durationMs, signal) {
      const { rows } = await sql<{ ms: number }>`
        select extract(epoch from next_slot_at - clock_timestamp())::float8 * 1000 as ms
        from archive.budgets where budget = ${budgetName}`.execute(db)
      aheadMs = Math.max(aheadMs, rows[0]?.ms ?? 0)
      await systemClock.sleep(durationMs, signal)
    },
  }
  const shared = createBudget({ ...context, clock, requestsPerSecond: 20 })
  const order: number[] = []
  const takes = Array.from({ length: 12 }, async (_, index) => {
    await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
    order.push(index)
  })
  await Promise.all(takes)
  // Of the three that ask the database together it may answer any first; in no order at all they would be 4 places off.
  expect(sum(order.map((index, place) => Math.abs(place - index))) / order.length).toBeLessThan(2)
  expect(aheadMs / slotSpacingMs(20)).toBeGreaterThan(2)
  // The fourth is the next to be had.
  expect(aheadMs / slotSpacingMs(20)).toBeLessThan(4.05)
  await sql`truncate archive.budgets`.execute(db)
})

test('who waits long, for a slot or for a turn to reserve one, is kept alive, and can be aborted', async () => {
  const { context, db } = archive
  // Five minutes pass in a second.
  const clock: Clock = {
    now: () => systemClock.now() * 300,
    sleep: (durationMs, signal) => systemClock.sleep(durationMs / 300, signal),
  }
  const shared = createBudget({ ...context, clock, requestsPerSecond: 0.02 })
  await shared.take('DescribeRoomStatistics', { mostMs: 1e12 })
  const controller = new AbortController()
  const { signal } = controller
  const aborted = Array.from({ length: 5 }, () => shared.take('DescribeRoomStatistics', { mostMs: 1e12, signal }))
  const kept = Array.from({ length: 6 }, async () => {
    const aliveAt = [clock.now()]
    const keepAlive = async () => {
      aliveAt.push(clock.now())
    }
    await shared.take('DescribeRoomStatistics', { mostMs: 1e12, keepAlive })
    return [...aliveAt, clock.now()].map((time, index) => time - (aliveAt[index - 1] ?? time))
  })
  controller.abort(new Error('enough'))
  for (const take of aborted) await expect(take).rejects.toThrow('enough')
  const longest = (await Promise.all(kept)).map((gaps) => ({ waited: sum(gaps), gap: Math.max(...gaps), gaps }))
  for (const { waited, gap, gaps } of longest) {
    expect(gap).toBeLessThan(LEASE_MS)
    // Each is a statement: no more of them than it takes.
    const times = gaps.length - 2
    expect(times).toBeLessThanOrEqual(waited / (LEASE_MS / 6))
  }
  expect(Math.max(...longest.map(({ waited }) => waited))).toBeGreaterThan(3 * LEASE_MS)
  await sql`truncate archive.budgets`.execute(db)
})

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** A clock that stands still but for those who sleep, and for who moves it. */
function handClock(): Clock & { time: number; slept: number[] } {
  const clock = {
    time: 0,
    slept: [] as number[],
    now: () => clock.time,
    async sleep(durationMs: number, signal?: AbortSignal) {
      await new Promise(setImmediate)
      signal?.throwIfAborted()
      clock.slept.push(durationMs)
      clock.time += durationMs
    },
  }
  return clock
}

test('the refusal of one action holds up no other, and wastes none of its slots', async () => {
  const { db, context } = archive
  const shared = createBudget({ ...context, clock: systemClock, requestsPerSecond: 20 })
  await shared.take('GetRooms', { mostMs: 1e9 })
  await shared.pushBack('GetRooms', 1000)
  const waiting = Array.from({ length: 3 }, () => shared.take('GetRooms', { mostMs: 1e9 }))
  const first = await Promise.race([
    ...waiting.map((take) => take.then(() => 'GetRooms')),
    shared.take('DescribeRoomStatistics', { mostMs: 1e9 }).then((slot) => slot.use()),
  ])
  expect(first).toBeUndefined()
  await Promise.all(waiting)
  await sql`truncate archive.budgets`.execute(db)
})

test('a way back from the database that has become longer for good is no lateness', async () => {
  const { db, context } = archive
  let wayBackMs = 0
  let reservations = 0
  const far = withDelayedAnswers(db, () => {
    reservations++
    return wayBackMs
  })
  const shared = createBudget({ db: far, lcic: context.lcic, clock: systemClock, requestsPerSecond: 1000 })
  for (let request = 0; request < 3; request++) await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  wayBackMs = 80
  reservations = 0
  for (let request = 0; request < 3; request++) await shared.take('DescribeRoomStatistics', { mostMs: 1e9 })
  expect(reservations).toBeLessThanOrEqual(12)
  await sql`truncate archive.budgets`.execute(db)
})

/** The database, behind a network that is slow to bring its answers. */
function withDelayedAnswers(db: TestArchive['db'], delayMs: () => number): TestArchive['db'] {
  return new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'getExecutor' || typeof value !== 'function') return value
      return () => {
        const executor = value.call(target)
        return new Proxy(executor, {
          get(inner, member) {
            const operation: unknown = Reflect.get(inner, member)
            if (typeof operation !== 'function') return operation
            if (member !== 'executeQuery') return operation.bind(inner)
            return async (...args: unknown[]) => {
              const answer = await operation.apply(inner, args)
              await systemClock.sleep(delayMs())
              return answer
            }
          },
        })
      }
    },
  })
}

test('a room whose budget is out of reach is given back without cost', async () => {
  const room = archive.school.addRoom({ members: 3 })
  await archive.context.budget.take('DescribeRoomStatistics', { mostMs: 1e9 })
  await archive.context.budget.pushBack('DescribeRoomStatistics', 60_000)
  const report = await archive.archive(room.roomId, { deadline: Date.now() + 1000 })
  expect(report).toMatchObject({ outcome: 'throttled', code: 'E_BUDGET' })
  const job = await archive.db
    .selectFrom('archive.jobs')
    .selectAll()
    .where('room_id', '=', room.roomId)
    .executeTakeFirstOrThrow()
  expect(job).toMatchObject({ attempts: 0, leased_by: null })
  await sql`truncate archive.budgets`.execute(archive.db)
})

test('a process that was stopped before its request left does not send it then, but takes another slot', async () => {
  const { context, simulator, school } = archive
  const clock = handClock()
  let stops = 1
  const lcic = createLcic({
    endpoint: new URL(simulator.endpoint),
    credentials() {
      // Between the slot and the signature.
      if (slots > 0 && stops-- > 0) clock.time += 10_000
      return simulator.credentials
    },
  })
  let slots = 0
  const inner = createBudget({ ...context, lcic, clock, requestsPerSecond: 20 })
  const budget: Budget = {
    ...inner,
    async take(action, wait) {
      const slot = await inner.take(action, wait)
      slots++
      return slot
    },
  }
  const { roomId } = school.addRoom({ members: 1 })
  const sent = simulator.requests.length
  const report = await archiveRoom({ ...context, lcic, clock, budget }, roomId, { waitMs: 0 })
  lcic.close()
  expect(report).toMatchObject({ outcome: 'archived', requests: 1 })
  expect({ slots, requests: simulator.requests.length - sent }).toEqual({ slots: 2, requests: 1 })
  await sql`truncate archive.budgets`.execute(archive.db)
})
