import type { Kysely } from 'kysely'
import { abortable } from '../abort'
import type { Clock } from '../clock'
import { LEASE_MS } from '../db/leases'
import { pushBackBudget, reserveSlot } from '../db/reserve-slot'
import type { Database } from '../db/tables'
import type { Lcic, LcicAction } from '../lcic/client'
import { SourceError } from '../lcic/errors'
import { createServerClock } from './server-clock'
import { createTurns, type Turns } from './turns'

/** The right to send requests, shared by all instances through one row in PostgreSQL. */
export interface Budget {
  /**
   * Waits for the next slot, in which one request may be sent.
   *
   * @throws {SourceError} kind `throttled`, code {@link OUT_OF_BUDGET}, if the next slot is further away than the caller can wait;
   *   nothing is reserved then
   */
  take(action: LcicAction, wait: SlotWait): Promise<Slot>
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

/** A moment that has come, and will have passed in a few milliseconds. */
export interface Slot {
  /**
   * To be called when the request is about to leave.
   *
   * @throws {SlotMissedError} if it is too late for that
   */
  use(): void
}

/** The slot has passed, or LCIC has refused a request since it was handed out: another one has to be taken. */
export class SlotMissedError extends Error {}

/** Code of the error that no slot is free in the time that is left. */
export const OUT_OF_BUDGET = 'E_BUDGET'

/** Twice that, for what may be waited for one after the other, a request that takes its time and some more is less than a lease. */
const KEEP_ALIVE_MS = LEASE_MS / 6

/**
 * Slots are 4 % further apart than the rate says. LCIC counts requests in each second as they arrive: of slots exactly
 * 1/20 s apart, 21 arrive within a second as soon as one is late by a hair. At 1.04/20 s, 21 slots span 1,040 ms: requests
 * may be delayed by up to 40 ms more or less than each other before the limit is met, and 96 % of it is used.
 */
const HEADROOM = 1.04

/**
 * Most of that room for delay; the rest is for the way to LCIC. A request that could not leave within this after its slot
 * (the process was stopped, or others had the processor) is not sent in it: requests that were held up together would
 * arrive together.
 */
const LATE_MS = 25

/**
 * Slots are lost by a process that is late for them. So whoever was late, and whoever has just started and is not known
 * to wake up in time, first looks whether it does: so often in a row, after sleeps of so long; but not for ever, since on
 * some machines it never does.
 */
const STEADY = { times: 10, sleepMs: 10, lateMs: 5, mostMs: 3000 }

/**
 * Slots that a process reserves ahead: enough that at 20 a second none is lost while the database answers, and no more,
 * because those of a process that dies are lost.
 */
const RESERVED_AHEAD = 3

/** LCIC counts over one second; after a second of silence nothing counts any more. */
const PAUSE_MS = 1000

/** Milliseconds between two slots. */
export function slotSpacingMs(requestsPerSecond: number): number {
  return (1000 / requestsPerSecond) * HEADROOM
}

/** What this process knows of one budget. */
interface Lane {
  readonly budget: string
  readonly turns: Turns
  /** LCIC refused: slots before this, handed out before it did, are not used. */
  pausedUntil: number
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
  const lanes = new Map<string, Lane>()

  function laneOf(action: LcicAction): Lane {
    const budget = lcic.budgetOf(action)
    const lane = lanes.get(budget) ?? { budget, turns: createTurns(RESERVED_AHEAD), pausedUntil: 0 }
    lanes.set(budget, lane)
    return lane
  }

  async function becomeSteady(): Promise<void> {
    const giveUpAt = clock.now() + STEADY.mostMs
    for (let inTime = 0; inTime < STEADY.times && clock.now() < giveUpAt; ) {
      const asleepAt = clock.now()
      await clock.sleep(STEADY.sleepMs)
      await lcic.prepare()
      inTime = clock.now() - asleepAt - STEADY.sleepMs <= STEADY.lateMs ? inTime + 1 : 0
    }
  }

  /** Reserves a slot. @returns when it is, by this process's clock */
  async function reserve(budget: string, giveUpAt: number): Promise<number> {
    const askedAt = clock.now()
    const reserved = await reserveSlot(db, { budget, spacingMs, mostMs: giveUpAt - askedAt })
    if (reserved === undefined) {
      throw new SourceError(
        'throttled',
        OUT_OF_BUDGET,
        'No slot of the request budget is free in the time that is left.',
      )
    }
    const answeredAt = clock.now()
    return Math.max(askedAt, serverClock.toLocal(reserved.slotAt, { askedAt, serverNow: reserved.now, answeredAt }))
  }

  function useSlot(slotAt: number, { pausedUntil }: Lane): void {
    const now = clock.now()
    const isLate = now - slotAt > LATE_MS
    if (isLate) steady = undefined
    if (isLate || now < pausedUntil) throw new SlotMissedError()
  }

  return {
    async take(action, { mostMs, signal, keepAlive }) {
      const giveUpAt = clock.now() + mostMs
      let aliveAt = clock.now()
      const stayAlive = async () => {
        if (clock.now() - aliveAt < KEEP_ALIVE_MS) return
        aliveAt = clock.now()
        await keepAlive?.()
      }
      const lane = laneOf(action)
      const { budget, turns } = lane
      await turns.begin(signal, stayAlive)
      try {
        // One for all that wait for a slot in this process.
        steady ??= becomeSteady()
        await abortable(steady, signal)
        const slotAt = await reserve(budget, giveUpAt)
        // Stryker disable next-line EqualityOperator: a millisecond.
        while (slotAt - clock.now() > KEEP_ALIVE_MS) {
          await clock.sleep(KEEP_ALIVE_MS, signal)
          turns.linger()
          await stayAlive()
        }
        const waitMs = Math.ceil(slotAt - clock.now())
        if (waitMs > 0) await clock.sleep(waitMs, signal)
        return { use: () => useSlot(slotAt, lane) }
      } finally {
        turns.end()
      }
    },
    async pushBack(action, askedMs) {
      const pauseMs = Math.max(PAUSE_MS, askedMs)
      const lane = laneOf(action)
      lane.pausedUntil = Math.max(lane.pausedUntil, clock.now() + pauseMs)
      await pushBackBudget(db, { budget: lane.budget, pauseMs })
    },
  }
}
