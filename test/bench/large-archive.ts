import { type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import type { Database } from '../../lib/db/tables'
import { insertLessons, insertSweeps, planLessons, roomsFrom, type SchoolSize } from './simulated-school'

/** Lessons that are archived by one transaction. */
const LESSONS_AT_ONCE = 2000

/** Of each course: two a week, for a year and a half; courses begin on different dates of two years. */
const SESSIONS = 160

/** Room ids in the middle that are left for rooms that the product archives. */
const FREE_IDS = 10_000

/** A large archive that is to be. */
export interface LargeArchive {
  readonly url: string
  readonly rooms: number
  /** Told how many of the rooms are there. */
  readonly onProgress: (rooms: number) => void
  /** Called when half of the rooms are there, with the first of the ids that are free in the middle. */
  readonly onHalf: (firstFreeId: bigint) => Promise<void>
}

/** The school of so many rooms, or a few less, as there are whole courses. */
export function schoolOf(rooms: number): SchoolSize {
  const courses = Math.max(1, Math.floor(rooms / SESSIONS))
  return { courses, sessions: SESSIONS, students: 20 * courses, mixed: true, free: FREE_IDS, pages: true }
}

/**
 * Archives two years of a simulated school, oldest rooms first, by two sessions at once: every row of an archive in its
 * steady state, raw pages included, which are kept for ever unless somebody decides otherwise. Triggers, constraints and
 * indexes are in place, so that tables and indexes are as a worker would have left them.
 *
 * @returns the first room id that is free at the end
 */
export async function fillArchive({ url, rooms, onProgress, onHalf }: LargeArchive): Promise<bigint> {
  const size = schoolOf(rooms)
  const planned = size.courses * size.sessions
  const half = Math.floor(planned / 2)
  const db = connect({ url, max: 2 })
  let done = 0
  async function archive(from: number, to: number): Promise<void> {
    let next = from
    async function work(): Promise<void> {
      while (next < to) {
        const first = next
        next = Math.min(to, next + LESSONS_AT_ONCE)
        const last = next
        await archiveLessons(db, size, first, last)
        done += last - first
        onProgress(done)
      }
    }
    await Promise.all([work(), work()])
  }
  try {
    await planLessons(db, size, sql`unlogged table public.planned_lessons`)
    await sql`create unique index on public.planned_lessons (number)`.execute(db)
    await archive(0, half)
    await analyzeFilled(db)
    await onHalf(BigInt(roomsFrom + half + 1))
    await archive(half, planned)
    await sql`drop table public.planned_lessons`.execute(db)
    await insertSweeps(db)
    return BigInt(roomsFrom + planned + FREE_IDS + 1)
  } finally {
    await db.destroy()
  }
}

/** Those whose numbers are above `after`, up to `last`. */
async function archiveLessons(db: Kysely<Database>, size: SchoolSize, after: number, last: number): Promise<void> {
  await db.transaction().execute(async (session) => {
    await sql`set local synchronous_commit = off`.execute(session)
    await sql`set local work_mem = '256MB'`.execute(session)
    await sql`
      create temp table lessons on commit drop as
      select * from public.planned_lessons where number > ${after} and number <= ${last}`.execute(session)
    await insertLessons(session, size)
    await sql`drop table figures`.execute(session)
  })
}

/** As autovacuum would have, many times. Plans that are made for a partition known to be empty would read all of it later. */
async function analyzeFilled(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select c.oid::regclass::text as name from pg_class c
    where relnamespace = 'archive'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0`.execute(db)
  await sql`analyze ${sql.raw(rows.map(({ name }) => name).join(', '))}`.execute(db)
}
