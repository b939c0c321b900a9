import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { Database } from './tables'

/** Nobody who comes later waits longer than this because of one who waits here; autovacuum gives way after a second. */
const WAIT_MS = 1500

/**
 * Waits until every statement that writes to a table by now has been committed, with its transaction. A statement locks
 * what it writes to before it looks at anything: those that come later see all that was committed before this was called.
 * Nothing is held while this waits but its place in the queue, and readers, dumps among them, do not notice.
 *
 * @returns whether they have; false: they took longer, try again
 */
export async function awaitWriters(db: Kysely<Database>, table: string): Promise<boolean> {
  try {
    await db.transaction().execute(async (tx) => {
      await sql`set local lock_timeout = ${sql.lit(WAIT_MS)}`.execute(tx)
      await sql`lock table ${sql.id('archive', table)} in share mode`.execute(tx)
    })
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '55P03') return false
    throw error
  }
}
