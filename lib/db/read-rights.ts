import { type Kysely, sql } from 'kysely'
import { groupRoles, ownTables, type Right, rightsOf } from './rights'
import type { Database } from './tables'

/** How the rights in this database differ from those that are meant, as far as the current role can change that. */
export interface RightsSeen {
  /** Its name. */
  readonly database: string
  /** Empty where the current role may not create any. */
  readonly rolesToCreate: readonly string[]
  readonly isSchemaToOwn: boolean
  /** Tables that `lcic_migrator` is to own, and does not. */
  readonly tablesToOwn: readonly string[]
  readonly missing: readonly Right[]
  readonly excess: readonly Right[]
}

/** What is there, and the current role's own. */
interface Held {
  readonly database: string
  readonly roles: readonly string[]
  readonly mayCreateRoles: boolean
  readonly ownsDatabase: boolean
  readonly ownsSchema: boolean
  readonly isSchemaToOwn: boolean
  /** With their columns. */
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[]
  readonly tablesToOwn: readonly string[]
}

/** Compares the rights of the roles with {@link rights}. Any role may read that. */
export async function readRights(db: Kysely<Database>): Promise<RightsSeen> {
  const held = await readHeld(db)
  const granted = await readGranted(db)
  const columns = new Map(held.tables.map(({ name, columns }) => [name, new Set(columns)]))
  const owns = { database: held.ownsDatabase, schema: held.ownsSchema, table: true }

  function isOurs({ role, on, table, column }: Right): boolean {
    if (!held.roles.includes(role) || !owns[on]) return false
    return table === null || (columns.get(table)?.has(column ?? '') ?? false) || (column === null && columns.has(table))
  }
  const wanted = groupRoles.flatMap(rightsOf).filter(isOurs)
  const [wantedKeys, grantedKeys] = [new Set(wanted.map(keyOf)), new Set(granted.map(keyOf))]
  return {
    database: held.database,
    rolesToCreate: held.mayCreateRoles ? groupRoles.filter((role) => !held.roles.includes(role)) : [],
    isSchemaToOwn: held.isSchemaToOwn,
    tablesToOwn: held.tablesToOwn,
    missing: wanted.filter((right) => !grantedKeys.has(keyOf(right))),
    excess: granted.filter((right) => isOurs(right) && !wantedKeys.has(keyOf(right))),
  }
}

function keyOf({ role, on, verb, table, column }: Right): string {
  return [role, on, verb, table, column].join()
}

async function readHeld(db: Kysely<Database>): Promise<Held> {
  const { rows } = await sql<Held>`
    with migrator as (
      select oid from pg_roles
      where rolname = 'lcic_migrator' and pg_has_role(oid, 'usage')
        -- From PostgreSQL 16 on a member may lack the right to act as the role.
        and case when current_setting('server_version_num')::int < 160000 then true else pg_has_role(oid, 'set') end
    ), own_schema as (
      select n.oid, n.nspowner from pg_namespace n where n.nspname = 'archive' and pg_has_role(n.nspowner, 'usage')
    ), own_tables as (
      select c.oid, c.relname as name, c.relowner
      from pg_class c
      where c.relnamespace = to_regnamespace('archive') and c.relkind = 'r' and c.relname = any (${ownTables}::text[])
        and pg_has_role(c.relowner, 'usage')
    )
    select
      current_database()::text as database,
      array(select rolname::text from pg_roles where rolname = any (${groupRoles}::text[])) as roles,
      (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as "mayCreateRoles",
      (select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()) as "ownsDatabase",
      exists (select from own_schema) as "ownsSchema",
      exists (
        select from own_schema, migrator
        where nspowner <> migrator.oid and has_database_privilege(current_database(), 'create')) as "isSchemaToOwn",
      coalesce((
        select json_agg(json_build_object('name', name, 'columns', (
          select json_agg(a.attname) from pg_attribute a
          where a.attrelid = own_tables.oid and a.attnum > 0 and not a.attisdropped)))
        from own_tables
      ), '[]') as tables,
      array(
        select name::text from own_tables, migrator
        where relowner <> migrator.oid and has_schema_privilege(migrator.oid, 'archive', 'create')) as "tablesToOwn"
    `.execute(db)
  const [held] = rows
  if (!held) throw new TypeError('The rights have no row.')
  return held
}

/** What owners may do is not granted to them. */
async function readGranted(db: Kysely<Database>): Promise<Right[]> {
  const { rows } = await sql<Right>`
    with granted as (
      select 'table' as "on", c.relname as "table", null::name as "column", c.relowner as owner, acl.*
      from pg_class c cross join lateral aclexplode(c.relacl) as acl
      where c.relnamespace = to_regnamespace('archive') and c.relname = any (${ownTables}::text[])
      union all
      select 'table', c.relname, a.attname, c.relowner, acl.*
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
      cross join lateral aclexplode(a.attacl) as acl
      where c.relnamespace = to_regnamespace('archive') and c.relname = any (${ownTables}::text[])
      union all
      select 'schema', null, null, n.nspowner, acl.*
      from pg_namespace n cross join lateral aclexplode(n.nspacl) as acl
      where n.nspname = 'archive'
      union all
      select 'database', null, null, d.datdba, acl.*
      from pg_database d cross join lateral aclexplode(d.datacl) as acl
      where d.datname = current_database()
    )
    select r.rolname as role, "on", lower(privilege_type) as verb, "table", "column"
    from granted join pg_roles r on r.oid = grantee
    where grantee <> owner and r.rolname = any (${groupRoles}::text[])`.execute(db)
  return rows
}
