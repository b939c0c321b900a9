import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** Rooms whose ids are above `after`, up to `upTo`. */
export interface RoomRange {
  readonly after: bigint
  readonly upTo: bigint
  /** Jobs among them. */
  readonly jobs: number
}

const LAST = 2n ** 63n - 1n

/** Pages of a range, those of its last room not counted: a few hundred megabytes of text. */
const MOST_PAGES = 1000

/** All rooms from one on, in ranges of so many jobs, or fewer: what is done for a range takes seconds, whatever rooms hold. */
export async function* roomRanges(
  db: Kysely<Database>,
  { after = 0n, jobs: most }: { after?: bigint; jobs: number },
): AsyncGenerator<RoomRange> {
  for (let from = after; from < LAST; ) {
    const { rows } = await sql<{ upTo: bigint; jobs: number }>`
      with next as (
        select room_id from archive.jobs where room_id > ${from} order by room_id limit ${most}
      ), bound as (
        select least(
          -- Rooms that have lost their jobs may lie behind the last of them.
          (select case when count(*) = ${most} then max(room_id) end from next),
          (select room_id from archive.raw_pages where room_id > ${from} order by room_id offset ${MOST_PAGES} limit 1),
          ${LAST}::bigint) as up_to
      )
      select up_to as "upTo", (select count(*)::int from next where room_id <= up_to) as jobs from bound`.execute(db)
    const { upTo = LAST, jobs = 0 } = rows[0] ?? {}
    yield { after: from, upTo, jobs }
    from = upTo
  }
}

/** How many jobs there are, about. */
export async function countJobs(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ jobs: number }>`select count(*)::int as jobs from archive.jobs`.execute(db)
  return rows[0]?.jobs ?? 0
}
