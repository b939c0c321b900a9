import type { Kysely } from 'kysely'
import type { Clock } from '../clock'
import { LEASE_MS } from '../db/leases'
import { pushBackBudget, reserveSlot } from '../db/reserve-slot'
import type { Database } from '../db/tables'
import type { Lcic, LcicAction } from '../lcic/client'
import { SourceError } from '../lcic/errors'

/** The right to send requests, shared by all instances through one row in PostgreSQL. */
export interface Budget {
  /**
   * Waits for the next slot.
   *
   * @throws {SourceError} kind `throttled`, code `E_BUDGET`, if the next slot is further away than the caller can wait;
   *   nothing is reserved then
   */
  take(action: LcicAction, wait: SlotWait): Promise<void>
  /** Gives nobody a slot for a while, because LCIC refused a request. */
  pushBack(action: LcicAction, pauseMs: number): Promise<void>
}

export interface SlotWait {
  /** How long the caller can wait. */
  readonly mostMs: number
  readonly signal?: AbortSignal | undefined
  /** Called every now and then during a long wait. */
  readonly keepAlive?: (() => Promise<void>) | undefined
}

/** A third of a lease: of two renewals one may fail. */
const KEEP_ALIVE_MS = LEASE_MS / 3

/**
 * Slots are 4 % further apart than the rate says. LCIC counts requests in each second as they arrive: of slots exactly
 * 1/20 s apart, 21 arrive within a second as soon as one is late by a hair. At 1.04/20 s, 21 slots span 1,040 ms: requests
 * may be delayed by up to 40 ms more or less than each other before the limit is met, and 96 % of it is used.
 */
const HEADROOM = 1.04

/**
 * Half of that room for delay. Whoever wakes up later than this after its slot (the process was stopped, or its event
 * loop was busy) takes another: requests that were held up together would otherwise arrive together.
 */
const LATE_MS = 20

/**
 * Slots are lost by a process that is late for them. So whoever was late, and whoever has just started and is not known
 * to wake up in time, first looks whether it does: so often in a row, after sleeps of so long; but not for ever, since on
 * some machines it never does.
 */
const STEADY = { times: 5, sleepMs: 10, lateMs: LATE_MS / 4, mostMs: 5000 }

/** LCIC counts over one second; after a second of silence nothing counts any more. */
const PAUSE_MS = 1000

/** Milliseconds between two slots. */
export function slotSpacingMs(requestsPerSecond: number): number {
  return (1000 / requestsPerSecond) * HEADROOM
}

export function createBudget({
  db,
  lcic,
  clock,
  requestsPerSecond,
}: {
  db: Kysely<Database>
  lcic: Lcic
  clock: Clock
  requestsPerSecond: number
}): Budget {
  const spacingMs = slotSpacingMs(requestsPerSecond)
  const serverClock = createServerClock()
  /** Settles once this process wakes up in time; absent while that is not known. */
  let steady: Promise<void> | undefined
  /** LCIC refused: slots before this, handed out before it did, are not used. */
  let pausedUntil = 0

  async function becomeSteady(): Promise<void> {
    await lcic.prepare()
    const giveUpAt = clock.now() + STEADY.mostMs
    for (let inTime = 0; inTime < STEADY.times && clock.now() < giveUpAt; ) {
      const asleepAt = clock.now()
      await clock.sleep(STEADY.sleepMs)
      inTime = clock.now() - asleepAt - STEADY.sleepMs <= STEADY.lateMs ? inTime + 1 : 0
    }
  }

  async function wait(durationMs: number, { signal, keepAlive }: SlotWait): Promise<void> {
    let leftMs = durationMs
    for (; leftMs > KEEP_ALIVE_MS; leftMs -= KEEP_ALIVE_MS) {
      await clock.sleep(KEEP_ALIVE_MS, signal)
      await keepAlive?.()
    }
    await clock.sleep(leftMs, signal)
  }

  return {
    async take(action, patience) {
      const { mostMs, signal } = patience
      const giveUpAt = clock.now() + mostMs
      for (;;) {
        // One for all that wait for a slot in this process.
        steady ??= becomeSteady()
        await steady
        signal?.throwIfAborted()
        const askedAt = clock.now()
        const reserved = await reserveSlot(db, { budget: lcic.budgetOf(action), spacingMs, mostMs: giveUpAt - askedAt })
        if (reserved === undefined) throw outOfReach()
        const slotAt = serverClock.toLocal(reserved.slotAt, {
          askedAt,
          serverNow: reserved.now,
          answeredAt: clock.now(),
        })
        const waitMs = slotAt - clock.now()
        if (waitMs > 0) await wait(Math.ceil(waitMs), patience)
        const lateMs = clock.now() - Math.max(slotAt, askedAt)
        const pauseMs = pausedUntil - clock.now()
        if (lateMs <= LATE_MS && pauseMs <= 0) return
        if (lateMs > LATE_MS) steady = undefined
        if (pausedUntil > giveUpAt) throw outOfReach()
        if (pauseMs > 0) await wait(pauseMs, patience)
      }
    },
    async pushBack(action, askedMs) {
      const pauseMs = Math.max(PAUSE_MS, askedMs)
      pausedUntil = Math.max(pausedUntil, clock.now() + pauseMs)
      await pushBackBudget(db, { budget: lcic.budgetOf(action), pauseMs })
    },
  }
}

/** When the database was asked, what time it said it was, and when that was known here. */
interface ClockReading {
  readonly askedAt: number
  readonly serverNow: number
  readonly answeredAt: number
}

/**
 * Tells the database's time by this process's clock. A reading says that the difference lies between `serverNow -
 * answeredAt` and `serverNow - askedAt`; answers that came quickly say it best, and the best of the last few is kept. So
 * an answer that was long on its way, or a process that was stopped meanwhile, is recognised as late.
 */
function createServerClock() {
  const leastDifferences: number[] = []
  return {
    toLocal(serverTime: number, { askedAt, serverNow, answeredAt }: ClockReading): number {
      if (leastDifferences.push(serverNow - answeredAt) > 8) leastDifferences.shift()
      const difference = Math.min(Math.max(...leastDifferences), serverNow - askedAt)
      return serverTime - difference
    },
  }
}

function outOfReach(): SourceError {
  return new SourceError('throttled', 'E_BUDGET', 'No slot of the request budget is free in the time that is left.')
}
