import { type Kysely, sql } from 'kysely'
import { msBetween } from './instant'
import type { Database } from './tables'

/** How long a request would wait for its slot now, of a row of archive.budgets; negative if its last slot is past. */
export const backlogMs = msBetween(sql`clock_timestamp()`, sql`next_slot_at`)

/** Slots handed out for the last full minute, of a row of archive.budgets. */
export const slotsLastMinute = sql<number>`
  case date_trunc('minute', clock_timestamp())
    when minute then in_minute_before
    when minute + interval '1 minute' then in_minute
    else 0 end`

/** How far ahead each of these budgets has been handed out, in milliseconds; those that nobody has used are left out. */
export async function readBacklogs(
  db: Kysely<Database>,
  budgets: readonly string[],
): Promise<{ budget: string; backlogMs: number }[]> {
  const { rows } = await sql<{ budget: string; backlogMs: number }>`
    select budget, ${backlogMs} as "backlogMs"
    from archive.budgets where budget = any (${budgets}::text[])`.execute(db)
  return rows
}
