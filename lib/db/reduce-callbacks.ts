import { type Kysely, sql } from 'kysely'
import { reducedBody } from './store-callbacks'
import type { Database } from './tables'

/** Callbacks looked at by one statement. */
const CALLBACKS_AT_ONCE = 10_000

/** Leaves of stored callbacks what names nobody; a plan only counts. @returns how many had more */
export async function reduceCallbacks(db: Kysely<Database>, { plan }: { plan: boolean }): Promise<number> {
  const { rows: ends } = await sql<{ last: bigint }>`
    select coalesce(max(callback_id), 0) as last from archive.callbacks`.execute(db)
  let reduced = 0
  for (let after = 0n; after < (ends[0]?.last ?? 0n); after += BigInt(CALLBACKS_AT_ONCE)) {
    const whole = sql`
      callback_id > ${after} and callback_id <= ${after + BigInt(CALLBACKS_AT_ONCE)}
      and body::text <> ${reducedBody}::text`
    const { rows } = await sql<{ callbacks: number }>`
      with whole as (${
        plan
          ? sql`select from archive.callbacks where ${whole}`
          : sql`update archive.callbacks set body = ${reducedBody} where ${whole} returning 1`
      })
      select count(*)::int as callbacks from whole`.execute(db)
    reduced += rows[0]?.callbacks ?? 0
  }
  return reduced
}
