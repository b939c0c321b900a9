import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** What the current role may do with the views for analysts. */
export interface AnalyticsAccess {
  readonly role: string
  /** Whether the migrations have made schema `analytics`. */
  readonly exists: boolean
  readonly mayUse: boolean
}

/** Any role may ask that. */
export async function readAnalyticsAccess(db: Kysely<Database>): Promise<AnalyticsAccess> {
  const { rows } = await sql<AnalyticsAccess>`
    select current_user::text as role, exists (select from pg_namespace where nspname = 'analytics') as exists,
      coalesce((
        select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = 'analytics'
      ), false) as "mayUse"`.execute(db)
  const [access] = rows
  if (!access) throw new TypeError('The current role is not there.')
  return access
}
