import { type Kysely, sql } from 'kysely'
import { mayBeOnPage, type Trace } from './find-traces'
import type { Database } from './tables'

/** A stored page that has its text itself. */
export interface StoredPage {
  readonly attempt: number
  readonly page: number
  readonly body: string
}

/** The pages of a room that may hold the member, one after the other. */
export async function* pagesWithTraces(
  db: Kysely<Database>,
  { roomId, trace }: { roomId: bigint; trace: Trace },
): AsyncGenerator<StoredPage> {
  for (let after = { attempt: 0, page: 0 }; ; ) {
    const { rows } = await sql<StoredPage>`
      select p.attempt, p.page, p.body::text as body
      from archive.raw_pages p
      where p.room_id = ${roomId} and (p.attempt, p.page) > (${after.attempt}, ${after.page}) and ${mayBeOnPage(trace)}
      order by p.attempt, p.page
      limit 1`.execute(db)
    const [row] = rows
    if (!row) return
    after = row
    yield row
  }
}

export interface PageRewrite {
  readonly roomId: bigint
  readonly attempt: number
  readonly page: number
  readonly body: Buffer
  readonly records: readonly unknown[] | undefined
  readonly figures: object
  readonly recordCount: number
  readonly contentHash: string
  /** Records that it had, and has not any more. */
  readonly erased: number
}

/** Puts another text in place of a page's, for all pages that refer to it as well. */
export async function rewritePage(
  db: Kysely<Database>,
  { roomId, attempt, page, body, records, figures, recordCount, contentHash, erased }: PageRewrite,
): Promise<void> {
  const isBase = sql`attempt = ${attempt}`
  await sql`
    update archive.raw_pages
    set body = case when ${isBase} then ${body}::json end,
      records = case when ${isBase} then ${records ? JSON.stringify(records) : null}::json end,
      figures = ${JSON.stringify(figures)}::jsonb, record_count = ${recordCount}, content_hash = ${contentHash},
      erased = erased + ${erased}
    where room_id = ${roomId} and page = ${page} and (${isBase} or same_as_attempt = ${attempt})`.execute(db)
}

export interface AttemptPages {
  readonly attempt: number
  /** Of its pages, in order. */
  readonly contentHashes: readonly string[]
  readonly erased: number
  /** What its run has. */
  readonly contentHash: string | null
}

/** What the pages of each attempt at a room are recognised by. */
export async function attemptPages(db: Kysely<Database>, roomId: bigint): Promise<AttemptPages[]> {
  const { rows } = await sql<AttemptPages>`
    select p.attempt, array_agg(p.content_hash order by p.page) as "contentHashes", sum(p.erased)::int as erased,
      (select r.content_hash from archive.runs r where r.room_id = p.room_id and r.attempt = p.attempt) as "contentHash"
    from archive.raw_pages p
    where p.room_id = ${roomId}
    group by p.room_id, p.attempt
    order by p.attempt`.execute(db)
  return rows
}

/** Brings runs up to what their pages are by now: later reads are compared with them. */
export async function rehashRuns(
  db: Kysely<Database>,
  { roomId, hashes }: { roomId: bigint; hashes: ReadonlyMap<string, string> },
): Promise<void> {
  await sql`
    update archive.runs r set content_hash = h.now
    from unnest(${[...hashes.keys()]}::text[], ${[...hashes.values()]}::text[]) as h (before, now)
    where r.room_id = ${roomId} and r.content_hash = h.before`.execute(db)
}

/** Of a member that was listed several times, all records but one counted as duplicates. */
export async function uncountDuplicates(
  db: Kysely<Database>,
  { roomId, attempt, duplicates }: { roomId: bigint; attempt: number; duplicates: number },
): Promise<void> {
  await sql`
    update archive.runs set duplicates = greatest(0, duplicates - ${duplicates})
    where room_id = ${roomId} and attempt = ${attempt}`.execute(db)
}
