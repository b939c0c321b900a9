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

/** All rooms from one on, in ranges of so many jobs: what is done for a range takes seconds, whatever the archive holds. */
export async function* roomRanges(
  db: Kysely<Database>,
  { after = 0n, jobs: most }: { after?: bigint; jobs: number },
): AsyncGenerator<RoomRange> {
  for (let from = after; from < LAST; ) {
    const { rows } = await sql<{ last: bigint | null; jobs: number }>`
      select max(room_id) as last, count(*)::int as jobs
      from (select room_id from archive.jobs where room_id > ${from} order by room_id limit ${most}) as next`.execute(
      db,
    )
    const { last = null, jobs = 0 } = rows[0] ?? {}
    // Rooms that have lost their jobs may lie behind the last of them.
    const upTo = last === null || jobs < most ? LAST : last
    yield { after: from, upTo, jobs }
    from = upTo
  }
}

/** How many jobs there are, about. */
export async function countJobs(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ jobs: number }>`select count(*)::int as jobs from archive.jobs`.execute(db)
  return rows[0]?.jobs ?? 0
}
