import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/**
 * Reserves the right to start a function now: at most once in `spacingMs`, whoever asks, and not while requests for
 * statistics are reserved further ahead than `busyMs`: another worker would only wait beside those that are at it.
 *
 * @returns whether to start it; if not, one was started so short a time ago, or is at work
 */
export async function reserveInvocation(
  db: Kysely<Database>,
  { functionName, spacingMs, busyMs }: { functionName: string; spacingMs: number; busyMs: number },
): Promise<boolean> {
  const inMs = (ms: number) => sql`clock_timestamp() + make_interval(secs => ${ms / 1000}::float8)`
  const { rows } = await sql`
    insert into archive.invocations as i (function_name, next_at)
    select ${functionName}, ${inMs(spacingMs)}
    where not exists (
      select from archive.budgets where budget like 'DescribeRoomStatistics %' and next_slot_at > ${inMs(busyMs)})
    on conflict (function_name) do update set next_at = excluded.next_at
    -- A time further ahead than any is from before the server's clock was set back.
    where i.next_at <= clock_timestamp() or i.next_at > ${inMs(2 * spacingMs)}
    returning next_at`.execute(db)
  return rows.length === 1
}
