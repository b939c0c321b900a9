import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

let connecting: Promise<DuckDBConnection> | undefined

/** DuckDB, as whoever has the files would ask it. Integers come as `bigint`. */
export async function askDuckDb(query: string): Promise<Record<string, unknown>[]> {
  // It has to see what became of a file.
  connecting ??= DuckDBInstance.create(':memory:', { enable_external_file_cache: 'false', threads: '1' }).then(
    (instance) => instance.connect(),
  )
  const connection = await connecting
  const reader = await connection.runAndReadAll(query)
  return reader.getRowObjectsJS()
}

/** All rows of a view, each value as a text that both databases write alike. */
export async function rowsOfView(db: Kysely<Database>, view: string): Promise<Record<string, unknown>[]> {
  const { rows: columns } = await sql<{ name: string; type: string }>`
    select attname as name, format_type(atttypid, null) as type from pg_attribute
    where attrelid = ${`analytics.${view}`}::regclass and attnum > 0 order by attnum`.execute(db)
  const values = columns.map(({ name, type }) => {
    const column = sql.ref(name)
    // PostgreSQL 12 tells the seconds of all time as a float.
    if (type.startsWith('timestamp'))
      return sql`(extract(epoch from date_trunc('second', ${column}))::bigint * 1000000
        + to_char(${column}, 'US')::bigint)::text as ${sql.id(name)}`
    if (type === 'text[]') return sql`to_json(${column})::text as ${sql.id(name)}`
    return sql`${column}::text as ${sql.id(name)}`
  })
  const { rows } = await sql<Record<string, unknown>>`
    select ${sql.join(values)}, to_char(month_start, 'YYYY-MM') as month from ${sql.table(`analytics.${view}`)}
    order by room_id ${sql.raw(view === 'fact_attendance' ? ', user_id collate "C"' : '')}`.execute(db)
  return rows.map(comparable)
}

/** The same of the files of an export. */
export async function rowsOfFiles(directory: string, table: string): Promise<Record<string, unknown>[]> {
  const files = `read_parquet('${directory}/${table}/*/*.parquet', hive_partitioning = true)`
  const columns = await askDuckDb(`describe select * from ${files}`)
  const values = columns.map(({ column_name: name, column_type: type }) => {
    const column = `"${name}"`
    if (String(type).startsWith('TIMESTAMP')) return `epoch_us(${column})::varchar as ${column}`
    if (type === 'VARCHAR[]') return `to_json(${column})::varchar as ${column}`
    return `${column}::varchar as ${column}`
  })
  const rows = await askDuckDb(
    `select ${values} from ${files} order by room_id ${table === 'fact_attendance' ? ', user_id' : ''}`,
  )
  return rows.map(comparable)
}

/**
 * Both write the shortest digits of a float, but not the same way. The last digits of an average depend on the order in
 * which PostgreSQL meets the rows.
 */
function comparable(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (value === null || !/ratio|rate|engagement/.test(name)) return [name, value]
      return [name, /average|rate/.test(name) ? Number(value).toPrecision(12) : Number(value)]
    }),
  )
}
