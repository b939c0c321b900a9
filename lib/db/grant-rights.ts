import { type Kysely, type RawBuilder, sql } from 'kysely'
import { createRole } from './create-role'
import { readRights } from './read-rights'
import type { Right } from './rights'
import type { Database } from './tables'

/** What was done so that the roles may do what they are meant to. */
export interface RightsChange {
  readonly created: readonly string[]
  /** What `lcic_migrator` became the owner of, as `archive.rooms`. */
  readonly owned: readonly string[]
  readonly granted: readonly Right[]
  readonly revoked: readonly Right[]
  /** Roles that are not there, and that the current role may not create, where others are there. */
  readonly absent: readonly string[]
}

/**
 * Brings the roles' rights to what they are meant to be, as far as the current role may: it creates roles that are missing
 * if it may create roles, makes `lcic_migrator` the owner of what it owns itself if it is a member of it, and grants and
 * revokes on what it owns. Safe to run by several at once, in one database or in several of one cluster.
 *
 * @returns `undefined` if there was nothing to do: then it has only looked
 */
export async function grantRights(db: Kysely<Database>): Promise<RightsChange | undefined> {
  const { rolesToCreate, schemasToOwn, relationsToOwn, functionsToOwn, missing, excess } = await readRights(db)
  const toDo = [rolesToCreate, schemasToOwn, relationsToOwn, functionsToOwn, missing, excess]
  if (toDo.every(({ length }) => length === 0)) return undefined
  return db.isTransaction ? change(db) : db.transaction().execute(change)
}

async function change(tx: Kysely<Database>): Promise<RightsChange> {
  // Two that grant on one table at once would fail.
  await sql`select pg_advisory_xact_lock(hashtext('lcic-archive rights'))`.execute(tx)
  const { rolesToCreate: created, absent, database } = await readRights(tx)
  for (const role of created) await createRole(tx, role)
  const owned = await handOver(tx)
  const { excess: revoked } = await readRights(tx)
  for (const right of revoked) await sql`revoke ${what(right, database)} from ${sql.id(right.role)}`.execute(tx)
  // A right to a table that is taken back takes those to its columns along.
  const { missing: granted } = await readRights(tx)
  for (const right of granted) await sql`grant ${what(right, database)} to ${sql.id(right.role)}`.execute(tx)
  return { created, owned, granted, revoked, absent }
}

/** Makes `lcic_migrator` the owner. @returns of what */
async function handOver(tx: Kysely<Database>): Promise<string[]> {
  const { schemasToOwn } = await readRights(tx)
  for (const schema of schemasToOwn) await sql`alter schema ${sql.id(schema)} owner to lcic_migrator`.execute(tx)
  const { relationsToOwn, functionsToOwn } = await readRights(tx)
  // Views read with their owner's rights: they go with the tables.
  for (const { schema, name } of relationsToOwn)
    await sql`alter table ${sql.id(schema, name)} owner to lcic_migrator`.execute(tx)
  for (const signature of functionsToOwn)
    await sql`alter function ${sql.raw(signature)} owner to lcic_migrator`.execute(tx)
  return [...schemasToOwn, ...relationsToOwn.map(({ schema, name }) => `${schema}.${name}`), ...functionsToOwn]
}

/** `select (room_id) on table archive.jobs` */
function what({ verb, schema, table, column }: Right, database: string): RawBuilder<unknown> {
  const rights = column === null ? sql.raw(verb) : sql`${sql.raw(verb)} (${sql.id(column)})`
  if (schema === null) return sql`${rights} on database ${sql.id(database)}`
  return table === null ? sql`${rights} on schema ${sql.id(schema)}` : sql`${rights} on table ${sql.id(schema, table)}`
}
