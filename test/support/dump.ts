import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

/** Every value of every column of every table of the archive, as text. */
export async function dumpArchive(db: Kysely<Database>): Promise<string[]> {
  const { rows: columns } = await sql<{ table: string; column: string }>`
    select c.relname as "table", a.attname as "column"
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'archive'::regnamespace and c.relkind = 'r'
    order by 1, a.attnum`.execute(db)
  const values = columns.map(
    ({ table, column }) => sql`
      select ${`${table}.${column}: `}::text || ${sql.id(column)}::text as value
      from ${sql.id('archive', table)} where ${sql.id(column)} is not null`,
  )
  const { rows } = await sql<{ value: string }>`${sql.join(values, sql` union all `)} order by 1`.execute(db)
  return rows.map(({ value }) => value)
}

/** Values of a dump that hold one of the texts, written with or without escapes. */
export function valuesWith(dump: readonly string[], texts: readonly string[]): string[] {
  return dump.filter((value) => {
    const plain = value.replace(/\\u([0-9a-f]{4})/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    )
    return texts.some((text) => value.includes(text) || plain.includes(text))
  })
}
