import { type Kysely, sql } from 'kysely'
import { ownTables, type Right, rightsOf } from './rights'
import type { Database } from './tables'

/** What the current role may do, beside what a worker has to. */
export interface OwnRights {
  readonly role: string
  readonly isSuperuser: boolean
  /** It may create, and so drop, roles or databases. */
  readonly mayAdministrate: boolean
  /** Tables of the archive that belong to it, or to a role that it is a member of. */
  readonly ownedTables: number
  /** It may create tables in schema archive, or schemas. */
  readonly mayCreate: boolean
  /** Of what workers need, as `insert callbacks`. */
  readonly missing: readonly string[]
  /** Beyond that, as `delete jobs`. */
  readonly excess: readonly string[]
}

/** Asks for the rights of the current role, however it has got them. The migrations have to be applied. */
export async function readOwnRights(db: Kysely<Database>): Promise<OwnRights> {
  const needed = rightsOf('lcic_writer').filter(({ table }) => table !== null)
  const { rows } = await sql<OwnRights>`
    with needed as (
      select * from jsonb_to_recordset(${JSON.stringify(needed satisfies Right[])}::jsonb) as needed (
        "table" text, verb text, "column" text)
    ), held as (
      select name, verb, has_table_privilege(to_regclass('archive.' || name), verb) as whole
      from unnest(${ownTables}::text[]) as name
      cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as verb
    )
    select r.rolname::text as role, r.rolsuper as "isSuperuser", r.rolcreaterole or r.rolcreatedb as "mayAdministrate",
      (select count(*)::int from pg_class c
        where c.relnamespace = 'archive'::regnamespace and c.relname = any (${ownTables}::text[])
          and pg_has_role(c.relowner, 'usage')) as "ownedTables",
      has_schema_privilege('archive', 'create') or has_database_privilege(current_database(), 'create') as "mayCreate",
      array(
        select distinct n.verb || ' ' || n."table" from needed n
        where not case when n."column" is null then has_table_privilege(to_regclass('archive.' || n."table"), n.verb)
          else has_column_privilege(to_regclass('archive.' || n."table"), n."column", n.verb) end
        order by 1) as missing,
      array(
        select h.verb || ' ' || h.name from held h
        where h.whole and not exists (
          select from needed n where n."table" = h.name and n.verb = h.verb and n."column" is null)
        order by 1) as excess
    from pg_roles r where r.rolname = current_user`.execute(db)
  const [own] = rows
  if (!own) throw new TypeError('The current role is not there.')
  return own
}
