import { type Kysely, sql } from 'kysely'
import {
  groupRoles,
  ownFunctions,
  ownTables,
  ownViews,
  type Relation,
  type Right,
  rightsOf,
  schemas,
  viewSchemas,
} from './rights'
import type { Database } from './tables'

/** How the rights in this database differ from those that are meant, as far as the current role can change that. */
export interface RightsSeen {
  /** Its name. */
  readonly database: string
  /** Empty where the current role may not create any. */
  readonly rolesToCreate: readonly string[]
  /** Roles that are neither there nor can be created, where others are there. */
  readonly absent: readonly string[]
  /** Schemas that `lcic_migrator` is to own, and does not. */
  readonly schemasToOwn: readonly string[]
  /** Likewise tables and views. */
  readonly relationsToOwn: readonly Relation[]
  /** Likewise functions, with the types of what they take. */
  readonly functionsToOwn: readonly string[]
  readonly missing: readonly Right[]
  readonly excess: readonly Right[]
}

/** What is there, and the current role's own. */
interface Held {
  readonly database: string
  readonly roles: readonly string[]
  readonly mayCreateRoles: boolean
  readonly ownsDatabase: boolean
  readonly schemas: readonly string[]
  readonly schemasToOwn: readonly string[]
  readonly relations: readonly (Relation & { readonly columns: readonly string[]; readonly isToOwn: boolean })[]
  readonly functionsToOwn: readonly string[]
}

/** Compares the rights of the roles with {@link rightsOf}. Any role may read that. */
export async function readRights(db: Kysely<Database>): Promise<RightsSeen> {
  const held = await readHeld(db)
  const granted = await readGranted(db)
  const columns = new Map(held.relations.map(({ schema, name, columns }) => [`${schema}.${name}`, new Set(columns)]))

  function isOurs({ role, on, schema, table, column }: Right): boolean {
    if (!held.roles.includes(role)) return false
    if (on === 'database') return held.ownsDatabase
    if (on === 'schema') return held.schemas.includes(schema ?? '')
    const known = columns.get(`${schema}.${table}`)
    return known !== undefined && (column === null || known.has(column))
  }
  const wanted = groupRoles.flatMap((role) => rightsOf(role, held.relations)).filter(isOurs)
  const [wantedKeys, grantedKeys] = [new Set(wanted.map(keyOf)), new Set(granted.map(keyOf))]
  const absent = groupRoles.filter((role) => !held.roles.includes(role))
  return {
    database: held.database,
    rolesToCreate: held.mayCreateRoles ? absent : [],
    absent: held.mayCreateRoles || held.roles.length === 0 ? [] : absent,
    schemasToOwn: held.schemasToOwn,
    relationsToOwn: held.relations.filter(({ isToOwn }) => isToOwn),
    functionsToOwn: held.functionsToOwn,
    missing: wanted.filter((right) => !grantedKeys.has(keyOf(right))),
    excess: granted.filter((right) => isOurs(right) && !wantedKeys.has(keyOf(right))),
  }
}

function keyOf({ role, on, verb, schema, table, column }: Right): string {
  return [role, on, verb, schema, table, column].join()
}

/** Of `pg_class c` in `pg_namespace n`. */
const isOwn = sql`(
  n.nspname = 'archive' and c.relkind in ('r', 'p') and c.relname = any (${ownTables}::text[])
  or n.nspname = 'archive' and c.relkind = 'v' and c.relname = any (${ownViews}::text[])
  or n.nspname = any (${viewSchemas}::text[]) and c.relkind = 'v')`

async function readHeld(db: Kysely<Database>): Promise<Held> {
  const { rows } = await sql<Held>`
    with migrator as (
      select oid from pg_roles
      where rolname = 'lcic_migrator' and pg_has_role(oid, 'usage')
        -- From PostgreSQL 16 on a member may lack the right to act as the role.
        and case when current_setting('server_version_num')::int < 160000 then true else pg_has_role(oid, 'set') end
    ), own_schemas as (
      select n.oid, n.nspname as name, n.nspowner as owner from pg_namespace n
      where n.nspname = any (${schemas}::text[]) and pg_has_role(n.nspowner, 'usage')
    ), own_relations as (
      select c.oid, n.oid as namespace, n.nspname as schema, c.relname as name, c.relowner as owner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where ${isOwn} and pg_has_role(c.relowner, 'usage')
    )
    select
      current_database()::text as database,
      array(select rolname::text from pg_roles where rolname = any (${groupRoles}::text[])) as roles,
      (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as "mayCreateRoles",
      (select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()) as "ownsDatabase",
      array(select name::text from own_schemas) as schemas,
      array(
        select name::text from own_schemas, migrator
        where owner <> migrator.oid and has_database_privilege(current_database(), 'create')) as "schemasToOwn",
      coalesce((
        select json_agg(json_build_object('schema', schema, 'name', name, 'columns', (
          select json_agg(a.attname) from pg_attribute a
          where a.attrelid = own_relations.oid and a.attnum > 0 and not a.attisdropped),
          'isToOwn', exists (
            select from migrator
            where owner <> migrator.oid and has_schema_privilege(migrator.oid, namespace, 'create')))
          order by schema, name)
        from own_relations
      ), '[]') as relations,
      array(
        select p.oid::regprocedure::text from pg_proc p, migrator
        where p.pronamespace = to_regnamespace('archive') and p.proname = any (${ownFunctions}::text[])
          and p.proowner <> migrator.oid and pg_has_role(p.proowner, 'usage')
          and has_schema_privilege(migrator.oid, p.pronamespace, 'create')) as "functionsToOwn"`.execute(db)
  const [held] = rows
  if (!held) throw new TypeError('The rights have no row.')
  return held
}

/** What owners may do is not granted to them. */
async function readGranted(db: Kysely<Database>): Promise<Right[]> {
  const { rows } = await sql<Right>`
    with own as (
      select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${isOwn}
    ), granted as (
      select 'table' as "on", own.nspname as schema, own.relname as "table", null::name as "column",
        own.relowner as owner, acl.*
      from own cross join lateral aclexplode(own.relacl) as acl
      union all
      select 'table', own.nspname, own.relname, a.attname, own.relowner, acl.*
      from own
      join pg_attribute a on a.attrelid = own.oid and not a.attisdropped
      cross join lateral aclexplode(a.attacl) as acl
      union all
      select 'schema', n.nspname, null, null, n.nspowner, acl.*
      from pg_namespace n cross join lateral aclexplode(n.nspacl) as acl
      where n.nspname = any (${schemas}::text[])
      union all
      select 'database', null, null, null, d.datdba, acl.*
      from pg_database d cross join lateral aclexplode(d.datacl) as acl
      where d.datname = current_database()
    )
    select r.rolname as role, "on", lower(privilege_type) as verb, schema, "table", "column"
    from granted join pg_roles r on r.oid = grantee
    where grantee <> owner and r.rolname = any (${groupRoles}::text[])`.execute(db)
  return rows
}
