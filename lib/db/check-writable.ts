import { type Kysely, sql } from 'kysely'
import { DatabaseError } from '../errors'
import type { Database } from './tables'

/** @throws {DatabaseError} `E_DATABASE_READ_ONLY` where it answers, and takes nothing: a standby, or one that is locked */
export async function checkWritable(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ locked: string }>`select current_setting('transaction_read_only') as locked`.execute(db)
  if (rows[0]?.locked === 'off') return
  throw new DatabaseError(
    'E_DATABASE_READ_ONLY',
    'The database takes no writes. Check that DATABASE_URL names the primary, not a standby.',
  )
}
