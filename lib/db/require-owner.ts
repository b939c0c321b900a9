import { type Kysely, sql } from 'kysely'
import { UsageError } from '../errors'
import type { Database } from './tables'

/**
 * Deleting is for who owns the archive.
 *
 * @throws {UsageError} `E_NOT_THE_OWNER` naming the role that this is
 */
export async function requireOwner(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ role: string; owns: boolean }>`
    select current_user::text as role, bool_and(pg_has_role(relowner, 'usage')) as owns
    from pg_class where relnamespace = 'archive'::regnamespace and relkind in ('r', 'p')`.execute(db)
  const [own] = rows
  if (own?.owns) return
  throw new UsageError(
    'E_NOT_THE_OWNER',
    `Role ${own?.role} may not delete from the archive. Set DATABASE_URL to a login that is in lcic_migrator, or owns the tables.`,
  )
}
