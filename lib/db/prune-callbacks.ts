import { type Kysely, sql } from 'kysely'
import { type Instant, later } from './instant'
import type { Database } from './tables'

/** Callbacks deleted by one statement. */
const AT_ONCE = 10_000

/** Deletes some of the callbacks that were received longer ago than they are kept. @returns how many; 0: none is left */
export async function pruneCallbacks(
  db: Kysely<Database>,
  { keepMs, now }: { keepMs: number; now: Instant },
): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from archive.callbacks
    where callback_id = any (array(
      select callback_id from archive.callbacks
      where received_at < ${later(now, -keepMs)}
      order by received_at
      limit ${AT_ONCE}))`.execute(db)
  return Number(numAffectedRows)
}

/** How many callbacks were received longer ago than they are kept. */
export async function countOldCallbacks(
  db: Kysely<Database>,
  { keepMs, now }: { keepMs: number; now: Instant },
): Promise<number> {
  const { rows } = await sql<{ callbacks: number }>`
    select count(*)::int as callbacks from archive.callbacks where received_at < ${later(now, -keepMs)}`.execute(db)
  return rows[0]?.callbacks ?? 0
}
