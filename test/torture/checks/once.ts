import { type Kysely, sql } from 'kysely'
import type { Database } from '../../../lib/db/tables'
import type { Violation } from './violation'

interface Row {
  room_id: bigint
  revision: number
  archived: number
  inserted: number
  members: number
  landed: number
  total: number
}

/**
 * Archived rooms that were written more than once, or not from the pages they name: each is written by one run, and by
 * one more for each time that the source changed (`changes`, by room).
 */
export async function findDoubled(db: Kysely<Database>, changes: ReadonlyMap<bigint, number>): Promise<Violation[]> {
  const { rows } = await sql<Row>`
    select r.room_id, r.revision, r.total - r.erased as total,
      (select count(*)::int from archive.runs u where u.room_id = r.room_id and u.outcome = 'archived') as archived,
      (select coalesce(sum(inserted), 0)::int from archive.runs u where u.room_id = r.room_id) as inserted,
      (select count(*)::int from archive.member_records m where m.room_id = r.room_id) as members,
      (select coalesce(sum(record_count), 0)::int from archive.raw_pages p
        where p.room_id = r.room_id and p.attempt = r.attempt) as landed
    from archive.rooms r`.execute(db)
  return rows.flatMap((row) => {
    const what = problemOf(row, 1 + (changes.get(row.room_id) ?? 0))
    return what === undefined ? [] : [{ check: 'doubled', roomId: row.room_id, what }]
  })
}

function problemOf({ revision, archived, inserted, members, landed, total }: Row, most: number): string | undefined {
  if (archived < 1 || archived > most) return `${archived} runs archived it, where up to ${most} are called for`
  if (revision !== archived) return `it is of revision ${revision} after ${archived} runs that archived it`
  if (inserted !== members) return `its runs inserted ${inserted} members, and ${members} are there`
  if (landed !== total) return `its raw pages hold ${landed} records, and it has ${total}`
  return undefined
}
