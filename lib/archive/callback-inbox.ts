import type { Kysely } from 'kysely'
import { isConnectionProblem } from '../db/connect'
import type { Instant } from '../db/instant'
import { type RoomEndCallback, storeCallbacks } from '../db/store-callbacks'
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

/** Stored at once. */
const BATCH = 200

/** A second's worth, and more, of what the database stores. */
const MOST_WAITING = 5000

interface Waiting {
  readonly callback: RoomEndCallback
  resolve(isDue: boolean): void
  reject(error: unknown): void
}

export function createCallbackInbox({ db, now }: { db: Kysely<Database>; now: () => Instant }): CallbackInbox {
  const waiting: Waiting[] = []
  let isStoring = false

  async function storeAll(): Promise<void> {
    isStoring = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, BATCH)
      const callbacks = batch.map(({ callback }) => callback)
      try {
        const isDue = await storeOnceMore(callbacks)
        for (const { resolve } of batch) resolve(isDue)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isStoring = false
  }

  /** A connection that was kept for long may turn out to be gone when it is used. */
  async function storeOnceMore(callbacks: readonly RoomEndCallback[]): Promise<boolean> {
    try {
      return await storeCallbacks(db, { callbacks, now: now() })
    } catch (error) {
      if (!isConnectionProblem(error)) throw error
      return storeCallbacks(db, { callbacks, now: now() })
    }
  }

  return {
    receive(callback) {
      if (waiting.length >= MOST_WAITING) return Promise.reject(new InboxFullError())
      return new Promise((resolve, reject) => {
        waiting.push({ callback, resolve, reject })
        if (!isStoring) void storeAll()
      })
    },
  }
}
