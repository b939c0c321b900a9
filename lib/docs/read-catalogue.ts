import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables'

/** A schema as its comments describe it. */
export interface DescribedSchema {
  readonly name: string
  readonly about: string
  readonly relations: readonly DescribedRelation[]
}

/** A view or table. */
export interface DescribedRelation {
  readonly schema: string
  readonly name: string
  readonly kind: 'view' | 'table'
  readonly about: string
  readonly columns: readonly DescribedColumn[]
}

export interface DescribedColumn {
  readonly name: string
  readonly type: string
  readonly about: string
}

/** Those that analysts use come first. */
const schemas = ['analytics', 'analytics_pii', 'archive'] as const

/** In this order the views of a star are read; all others follow by name. */
const prefixes = ['fact_', 'dim_', 'agg_']

/**
 * What the catalogue says of the archive's views and tables. Anybody who may connect may read it, whatever rights the role
 * has to what is described.
 */
export async function readCatalogue(db: Kysely<Database>): Promise<DescribedSchema[]> {
  const { rows } = await sql<DescribedRelation>`
    select n.nspname as schema, c.relname as name, case c.relkind when 'v' then 'view' else 'table' end as kind,
      coalesce(obj_description(c.oid, 'pg_class'), '') as about,
      (
        select json_agg(
          json_build_object(
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'about', coalesce(col_description(c.oid, a.attnum), ''))
          order by a.attnum)
        from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in (${sql.join(schemas)}) and c.relkind in ('v', 'r', 'p')
    order by n.nspname, c.relname collate "C"`.execute(db)
  const about = await sql<{ name: string; about: string }>`
    select nspname as name, coalesce(obj_description(oid, 'pg_namespace'), '') as about
    from pg_namespace
    where nspname in (${sql.join(schemas)})`.execute(db)
  return schemas.flatMap((name) => {
    const schema = about.rows.find((row) => row.name === name)
    if (!schema) return []
    return [{ ...schema, relations: inReadingOrder(rows.filter((row) => row.schema === name)) }]
  })
}

function inReadingOrder(relations: readonly DescribedRelation[]): DescribedRelation[] {
  const place = ({ name }: DescribedRelation) => {
    const index = prefixes.findIndex((prefix) => name.startsWith(prefix))
    return index === -1 ? prefixes.length : index
  }
  return [...relations].sort((a, b) => place(a) - place(b))
}
