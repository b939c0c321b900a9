import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** How far ahead each of these budgets has been handed out, in milliseconds; those that nobody has used are left out. */
export async function readBacklogs(
  db: Kysely<Database>,
  budgets: readonly string[],
): Promise<{ budget: string; backlogMs: number }[]> {
  const { rows } = await sql<{ budget: string; backlogMs: number }>`
    select budget, extract(epoch from next_slot_at - clock_timestamp())::float8 * 1000 as "backlogMs"
    from archive.budgets where budget = any (${budgets}::text[])`.execute(db)
  return rows
}
