import { type Kysely, sql } from 'kysely'
import { type Instant, later } from './instant'
import { LEASE_MS, type Lease } from './leases'
import type { Database } from './tables'

export interface PageToLand {
  readonly attempt: number
  readonly page: number
  readonly requestId: string
  /** The answer's text, or the earlier attempt whose page of this number says the same. */
  readonly content:
    | { readonly body: Buffer; readonly records?: readonly unknown[] }
    | { readonly sameAsAttempt: number }
  readonly figures: object
  readonly recordCount: number
  readonly contentHash: string
}

/**
 * Stores a page and renews the lease, in one statement that commits by itself. Landing a page twice is the same as
 * landing it once.
 *
 * @returns whether the lease was still held; if not, nothing was stored
 */
export async function landPage(
  db: Kysely<Database>,
  { lease, now, page }: { lease: Lease; now: Instant; page: PageToLand },
): Promise<boolean> {
  const { content } = page
  const body = 'body' in content ? content.body : null
  const records = 'body' in content && content.records ? JSON.stringify(content.records) : null
  // A page that says the same as one that in turn refers to an earlier attempt refers to that one: no chains.
  const sameAs = 'sameAsAttempt' in content ? content.sameAsAttempt : null
  const { rows } = await sql<{ held: boolean }>`
    with lease as (
      update archive.jobs set lease_until = ${later(now, LEASE_MS)}
      where room_id = ${lease.roomId} and leased_by = ${lease.holder}
      returning room_id
    ), landed as (
      insert into archive.raw_pages (
        room_id, attempt, page, request_id, body, records, same_as_attempt,
        figures, record_count, content_hash, fetched_at)
      select room_id, ${page.attempt}, ${page.page}, ${page.requestId}, ${body}::json, ${records}::json, (
          select coalesce(p.same_as_attempt, p.attempt)
          from archive.raw_pages p
          where p.room_id = lease.room_id and p.attempt = ${sameAs}::int and p.page = ${page.page}
        ),
        ${JSON.stringify(page.figures)}::jsonb, ${page.recordCount}, ${page.contentHash}, ${now}::timestamptz
      from lease
      on conflict (room_id, attempt, page) do nothing
    )
    select exists (select from lease) as held`.execute(db)
  return rows[0]?.held ?? false
}
