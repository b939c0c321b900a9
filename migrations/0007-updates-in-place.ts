import { type Kysely, sql } from 'kysely'

/**
 * Jobs are updated when they are claimed and when they are settled, runs when they end: with room on the page that takes no
 * new entries in indexes. Pages that are full already stay as they are.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of tables) await sql`alter table ${sql.id('archive', table)} set (fillfactor = 60)`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const table of tables) await sql`alter table ${sql.id('archive', table)} reset (fillfactor)`.execute(db)
}

const tables = ['jobs', 'runs']
