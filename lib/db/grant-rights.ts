import { type Kysely, type RawBuilder, sql } from 'kysely'
import { createRole } from './create-role'
import { readRights } from './read-rights'
import type { Right } from './rights'
import type { Database } from './tables'

/** What was done so that the roles may do what they are meant to. */
export interface RightsChange {
  readonly created: readonly string[]
  readonly granted: readonly Right[]
  readonly revoked: readonly Right[]
}

/**
 * Brings the roles' rights to what they are meant to be, as far as the current role may: it creates roles that are missing
 * if it may create roles, makes `lcic_migrator` the owner of what it owns itself if it is a member of it, and grants and
 * revokes on what it owns. Safe to run by several at once, in one database or in several of one cluster.
 *
 * @returns `undefined` if there was nothing to do: then it has only looked
 */
export async function grantRights(db: Kysely<Database>): Promise<RightsChange | undefined> {
  const { rolesToCreate, isSchemaToOwn, tablesToOwn, missing, excess } = await readRights(db)
  if (!isSchemaToOwn && [...rolesToCreate, ...tablesToOwn, ...missing, ...excess].length === 0) return undefined
  return db.isTransaction ? change(db) : db.transaction().execute(change)
}

async function change(tx: Kysely<Database>): Promise<RightsChange> {
  // Two that grant on one table at once would fail.
  await sql`select pg_advisory_xact_lock(hashtext('lcic-archive rights'))`.execute(tx)
  const { rolesToCreate: created, database } = await readRights(tx)
  for (const role of created) await createRole(tx, role)
  if ((await readRights(tx)).isSchemaToOwn) await sql`alter schema archive owner to lcic_migrator`.execute(tx)
  for (const table of (await readRights(tx)).tablesToOwn)
    await sql`alter table ${sql.id('archive', table)} owner to lcic_migrator`.execute(tx)
  const { excess: revoked } = await readRights(tx)
  for (const right of revoked) await sql`revoke ${what(right, database)} from ${sql.id(right.role)}`.execute(tx)
  // A right to a table that is taken back takes those to its columns along.
  const { missing: granted } = await readRights(tx)
  for (const right of granted) await sql`grant ${what(right, database)} to ${sql.id(right.role)}`.execute(tx)
  return { created, granted, revoked }
}

/** `select (room_id) on table archive.jobs` */
function what({ on, verb, table, column }: Right, database: string): RawBuilder<unknown> {
  const rights = column === null ? sql.raw(verb) : sql`${sql.raw(verb)} (${sql.id(column)})`
  if (table !== null) return sql`${rights} on table ${sql.id('archive', table)}`
  return on === 'schema' ? sql`${rights} on schema archive` : sql`${rights} on database ${sql.id(database)}`
}
