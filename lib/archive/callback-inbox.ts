import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { isConnectionProblem, isDataRefusal } from '../db/connect'
import type { Instant } from '../db/instant'
import { type RoomEndCallback, type StoredCallbacks, storeCallbacks } from '../db/store-callbacks'
import type { Database } from '../db/tables'

/** Takes in callbacks; those that come together are stored together. */
export interface CallbackInbox {
  /**
   * Resolves once the callback is stored and its room's job is due: it cannot be lost any more.
   *
   * @returns whether a room is due now that nobody works on
   * @throws {InboxFullError} when the database does not keep up
   * @throws what the database refuses it with
   */
  receive(callback: RoomEndCallback): Promise<boolean>
}

/** So many callbacks wait to be stored that more would only wait in vain. */
export class InboxFullError extends Error {}

/** Stored at once: enough that a disk that takes a tenth of a second for each commit keeps up with thousands a second. */
const BATCH = { callbacks: 1000, bytes: 1024 * 1024 }

/** More would only wait in vain, or take too much memory. */
const MOST_WAITING = { callbacks: 5000, bytes: 32 * 1024 * 1024 }

/**
 * From the start of one batch to that of the next, at least. What a batch costs hardly depends on how many are in it: of
 * 2,000 callbacks a second, without this, each waits a little less, and the database works twice as much.
 */
const PACE_MS = 15

interface Waiting {
  readonly callback: RoomEndCallback
  resolve(isDue: boolean): void
  reject(error: unknown): void
}

/** It uses two connections at most. */
export function createCallbackInbox({
  db,
  now,
  isReduced = false,
}: {
  db: Kysely<Database>
  now: () => Instant
  isReduced?: boolean | undefined
}): CallbackInbox {
  const waiting = { callbacks: 0, bytes: 0 }
  /** Rooms whose jobs are locked for long are waited for here, so that no other callback waits behind theirs. */
  // Stryker disable next-line ObjectLiteral: to wait is what is done anyway.
  const patient = createLane((batch) => settle(batch, { waits: true }))
  const quick = createLane((batch) => settle(batch, { waits: false }))

  async function settle(batch: readonly Waiting[], { waits }: { waits: boolean }): Promise<void> {
    try {
      const { isDue, lockedRooms } = await storeOnceMore(batch, waits)
      for (const item of batch) {
        if (lockedRooms.has(item.callback.roomId)) patient.put(item)
        else item.resolve(isDue)
      }
    } catch (error) {
      if (batch.length === 1 || !isDataRefusal(error)) {
        for (const { reject } of batch) reject(error)
        return
      }
      // One that the database refuses for what it is must not take the others along: it is looked for by halves.
      const half = Math.ceil(batch.length / 2)
      await settle(batch.slice(0, half), { waits })
      await settle(batch.slice(half), { waits })
    }
  }

  /** A connection that was kept for long may turn out to be gone when it is used. */
  async function storeOnceMore(batch: readonly Waiting[], waits: boolean): Promise<StoredCallbacks> {
    const callbacks = batch.map(({ callback }) => callback)
    try {
      return await storeCallbacks(db, { callbacks, now: now(), waits, isReduced })
    } catch (error) {
      if (!isConnectionProblem(error)) throw error
      return storeCallbacks(db, { callbacks, now: now(), waits, isReduced })
    }
  }

  return {
    async receive(callback) {
      const bytes = callback.body.length
      if (waiting.callbacks >= MOST_WAITING.callbacks || waiting.bytes >= MOST_WAITING.bytes) throw new InboxFullError()
      waiting.callbacks++
      waiting.bytes += bytes
      try {
        return await new Promise((resolve, reject) => quick.put({ callback, resolve, reject }))
      } finally {
        waiting.callbacks--
        waiting.bytes -= bytes
      }
    },
  }
}

/** Gives what is put in to `settle`, which must not throw, in batches: one after the other, all that came meanwhile. */
function createLane(settle: (batch: readonly Waiting[]) => Promise<void>): { put(item: Waiting): void } {
  const items: Waiting[] = []
  let isSettling = false

  /** Takes the next ones off: one at least. */
  function nextBatch(): Waiting[] {
    let size = 0
    let bytes = 0
    for (const { callback } of items) {
      bytes += callback.body.length
      if (size > 0 && (size >= BATCH.callbacks || bytes > BATCH.bytes)) break
      size++
    }
    return items.splice(0, size)
  }

  async function settleAll(): Promise<void> {
    isSettling = true
    while (items.length > 0) {
      const startedAt = performance.now()
      await settle(nextBatch())
      // Stryker disable next-line ArithmeticOperator: it only saves work.
      await delay(startedAt + PACE_MS - performance.now())
    }
    isSettling = false
  }

  return {
    put(item) {
      items.push(item)
      if (!isSettling) void settleAll()
    },
  }
}
