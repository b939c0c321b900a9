import { type Kysely, sql } from 'kysely'
import { type Instant, later } from './instant'
import { LEASE_MS, type Lease } from './leases'
import type { Database } from './tables'

export interface PageToLand<Figures = object> {
  readonly attempt: number
  readonly page: number
  readonly requestId: string
  /** The answer's text, or the earlier attempt whose page of this number says the same. */
  readonly content:
    | { readonly body: Buffer; readonly records?: readonly unknown[] }
    | { readonly sameAsAttempt: number }
  readonly figures: Figures
  readonly recordCount: number
  /** Records left out of it because their members were erased. */
  readonly erased: number
  readonly contentHash: string
}

/** The columns `body` and `records` of a page. */
export function contentValues({ content }: PageToLand): { body: Buffer | null; records: string | null } {
  if (!('body' in content)) return { body: null, records: null }
  return { body: content.body, records: content.records ? JSON.stringify(content.records) : null }
}

/** `outdated`: members were erased whose records may still be in the page; nothing was stored. */
export type Landing = 'landed' | 'lost' | 'outdated'

/**
 * Stores a page and renews the lease, in one statement that commits by itself. Landing a page twice is the same as
 * landing it once.
 *
 * @param erasuresSeen number of the newest erasure that the page was redacted by. The statement locks raw_pages before it
 *   looks which the newest is: `erase-member` waits for those that came first (see await-writers.ts).
 * @returns `lost` if the lease was not held any more: nothing was stored then
 */
export async function landPage(
  db: Kysely<Database>,
  { lease, now, page, erasuresSeen }: { lease: Lease; now: Instant; page: PageToLand; erasuresSeen: bigint },
): Promise<Landing> {
  const { content } = page
  const { body, records } = contentValues(page)
  // A page that says the same as one that in turn refers to an earlier attempt refers to that one: no chains.
  const sameAs = 'sameAsAttempt' in content ? content.sameAsAttempt : null
  const { rows } = await sql<{ landing: Landing }>`
    with outdated as materialized (
      select exists (select from archive.erasures where erasure_id > ${erasuresSeen}) as is_true
    ), lease as (
      update archive.jobs set lease_until = ${later(now, LEASE_MS)}
      where room_id = ${lease.roomId} and leased_by = ${lease.holder}
      returning room_id
    ), landed as (
      insert into archive.raw_pages (
        room_id, attempt, page, request_id, body, records, same_as_attempt,
        figures, record_count, erased, content_hash, fetched_at)
      select room_id, ${page.attempt}, ${page.page}, ${page.requestId}, ${body}::json, ${records}::json, (
          select coalesce(p.same_as_attempt, p.attempt)
          from archive.raw_pages p
          where p.room_id = lease.room_id and p.attempt = ${sameAs}::int and p.page = ${page.page}
        ),
        ${JSON.stringify(page.figures)}::jsonb, ${page.recordCount}, ${page.erased}, ${page.contentHash},
        ${now}::timestamptz
      from lease
      where not (select is_true from outdated)
      on conflict (room_id, attempt, page) do nothing
    )
    select case when not exists (select from lease) then 'lost' when is_true then 'outdated' else 'landed' end as landing
    from outdated`.execute(db)
  return rows[0]?.landing ?? 'lost'
}
