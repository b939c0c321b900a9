import type { Kysely } from 'kysely'
import type { RoomReport } from '../archive/archive-room'
import { type Freshness, readFreshness } from '../db/read-metrics'
import type { Database } from '../db/tables'

export interface FreshnessBook {
  /** Notes a room that was archived. */
  note(report: RoomReport): void
  /** Asks the database how fresh those are that were noted since, and tells it. */
  tell(): Promise<void>
}

/** Noted without being asked for, told by themselves: nobody may be asking. */
const MOST_NOTED = 200

/** How long after their end rooms were archived: asked of the database for many at once, not for each as it is archived. */
export function createFreshnessBook(
  db: Kysely<Database>,
  onFreshness: (rooms: readonly Freshness[]) => void,
): FreshnessBook {
  let noted: bigint[] = []

  async function tell(): Promise<void> {
    const roomIds = noted.splice(0)
    if (roomIds.length === 0) return
    try {
      onFreshness(await readFreshness(db, roomIds))
    } catch (error) {
      // They are told once the database is back; those of a long time without it are not worth keeping.
      noted = [...roomIds, ...noted].slice(-MOST_NOTED)
      throw error
    }
  }

  return {
    note({ outcome, roomId }) {
      if (outcome === 'archived' && noted.push(roomId) >= MOST_NOTED) void tell().catch(() => undefined)
    },
    tell,
  }
}
