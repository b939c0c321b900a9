import { type Kysely, sql } from 'kysely'
import type { LandedPage } from './begin-attempt'
import type { Database } from './tables'

/** The pages of an attempt as they are by now: a member that was erased meanwhile is no longer in them. */
export async function landedPages<Figures>(
  db: Kysely<Database>,
  { roomId, attempt }: { roomId: bigint; attempt: number },
): Promise<LandedPage<Figures>[]> {
  const { rows } = await sql<LandedPage<Figures>>`
    select page, record_count as "recordCount", erased, figures, content_hash as "contentHash",
      request_id as "requestId"
    from archive.raw_pages
    where room_id = ${roomId} and attempt = ${attempt}
    order by page`.execute(db)
  return rows
}
