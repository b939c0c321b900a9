import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { Clock } from '../clock'
import type { PersonalData } from '../config'
import type { Instant } from '../db/instant'
import type { Lease } from '../db/leases'
import type { Erasures } from '../db/read-erasures'
import type { Database } from '../db/tables'
import type { Lcic } from '../lcic/client'
import type { Budget } from './budget'

/** What archiving needs of the world. */
export interface ArchiveContext {
  readonly db: Kysely<Database>
  readonly lcic: Lcic
  readonly budget: Budget
  /** What this process waits by. */
  readonly clock: Clock
  /** What is written to the database and compared with it: its own time, unless a test gives another. */
  readonly now: () => Instant
  readonly policy: Policy
  readonly log: Logger
  /** Names whoever works here in leases; by default the machine and the process, which others there can see the end of. */
  readonly worker?: string
  /** Told of each step, for progress; must not throw. */
  readonly observe?: (event: ArchiveEvent) => void
}

/** What the operator may decide. */
export interface Policy {
  /** A room that has failed for so long counts as failed, and is not asked for any more. */
  readonly giveUpAfterMs: number
  /** How long after it was archived a room is read once more; absent: never. */
  readonly rereadAfterMs?: number
  /** What becomes of names, addresses and ids before anything is stored; absent: they are kept. */
  readonly personalData?: PersonalData
}

export type ArchiveEvent =
  /** A page was landed; `records` of the room's `total` are there by now. */
  | {
      readonly type: 'page'
      readonly roomId: bigint
      readonly page: number
      readonly pageRecords: number
      readonly records: number
      readonly total: number
    }
  /** A sweep has come by so many rooms of an app, and looks at those around this time. */
  | { readonly type: 'listed'; readonly rooms: number; readonly upTo: Date }
  /** LCIC has said of so many rooms what is planned. */
  | { readonly type: 'described'; readonly rooms: number }
  /** The database does not answer; it is waited for. */
  | { readonly type: 'database_lost' }
  /** LCIC did not give what it was asked for; it is asked again. */
  | { readonly type: 'refused'; readonly code: string; readonly retryInMs: number }

/** How long one call may take. */
export interface Patience {
  /** How long to keep asking, in this process, while a room's statistics are being computed. */
  readonly waitMs: number
  /** When the caller has to be done, by the context's clock. */
  readonly deadline?: number | undefined
  /** Milliseconds for each request. */
  readonly requestTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One attempt at one room, under a lease. */
export interface Attempt {
  readonly lease: Lease
  readonly number: number
  /** RequestIds of all answers to this attempt, refusals included. */
  readonly requestIds: string[]
  /** Who was erased, as far as is known by now; absent: nobody. */
  erasures?: Erasures
}

/** The lease was lost to another process, which goes on with the room: this one must not write any more. */
export class LeaseLostError extends Error {}
