import { type Kysely, sql } from 'kysely'

/**
 * How many members a room has, for the planner: some thirty. By itself it takes them for many times as many in a large
 * table, because rows of one room lie together and a sample of pages meets few rooms, and then reads the whole table
 * rather than the rooms in question by their index.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.member_records alter column room_id set (n_distinct = -0.033, n_distinct_inherited = -0.033)`.execute(
    db,
  )
  await analyzeMembers(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.member_records alter column room_id reset (n_distinct, n_distinct_inherited)`.execute(db)
  await analyzeMembers(db)
}

/** From then on it counts. A table that is empty has no statistics, and is to have none. */
async function analyzeMembers(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql`select from archive.member_records limit 1`.execute(db)
  if (rows.length > 0) await sql`analyze archive.member_records (room_id)`.execute(db)
}
