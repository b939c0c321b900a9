import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** Creates a role that cannot log in, unless it is there: who migrates another database of the cluster may be quicker. */
export async function createRole(db: Kysely<Database>, role: string): Promise<void> {
  const statement = sql`create role ${sql.id(role)} nologin`.compile(db).sql
  const block = `begin ${statement}; exception when duplicate_object or unique_violation then null; end`
  await sql`do ${sql.lit(block)}`.execute(db)
}
