import { setTimeout as delay } from 'node:timers/promises'
import { findHalfRooms } from './checks/half-rooms'
import type { Violation } from './checks/violation'
import type { Crew } from './crew'
import type { Postgres } from './postgres'

const LOOK_MS = 250

export interface Watching {
  stop(): Promise<Watched>
}

export interface Watched {
  /** How often the archive was seen: not while its database was away. */
  readonly looks: number
  readonly violations: readonly Violation[]
}

/** Looks at the archive from outside again and again, past all that is disturbed. */
export function watch(postgres: Postgres, crew: Crew): Watching {
  const violations = new Map<string, Violation>()
  let looks = 0
  let isStopped = false

  async function look(): Promise<void> {
    while (!isStopped) {
      crew.sampleMemory()
      try {
        for (const violation of await findHalfRooms(postgres.db())) {
          violations.set(`${violation.roomId} ${violation.what}`, violation)
        }
        looks++
      } catch {
        // It is being restarted.
      }
      await delay(LOOK_MS)
    }
  }

  const looked = look()
  return {
    async stop() {
      isStopped = true
      await looked
      return { looks, violations: [...violations.values()] }
    },
  }
}
