import type pg from 'pg'

/** What a table takes, of all its partitions together. Bytes. */
export interface TableSize {
  readonly table: string
  readonly rows: number
  /** Rows, and what is too long to be in them. */
  readonly tableBytes: number
  readonly indexBytes: Readonly<Record<string, number>>
}

/** The tables that grow with each room. */
export const growingTables = ['member_records', 'raw_pages', 'rooms', 'runs', 'jobs', 'known_rooms'] as const

export function isGrowing(table: string): boolean {
  return growingTables.some((name) => table.startsWith(name))
}

/** By the statistics that the last vacuum left. */
export async function tableSizes(admin: pg.Client): Promise<TableSize[]> {
  const sizes = []
  for (const table of growingTables) sizes.push(await sizeOf(admin, table))
  return sizes
}

async function sizeOf(admin: pg.Client, table: string): Promise<TableSize> {
  const { rows: totals } = await admin.query<{ rows: number; bytes: number }>(
    `select sum(greatest(c.reltuples, 0))::float8 as rows, sum(pg_table_size(c.oid))::float8 as bytes
    from pg_class c where c.oid in (${withPartitions('$1')}) and c.relkind = 'r'`,
    [`archive.${table}`],
  )
  const { rows: indexes } = await admin.query<{ name: string; bytes: number }>(
    `select i.indexrelid::regclass::text as name, (
        select sum(pg_relation_size(oid))::float8 from (${withPartitions('i.indexrelid')}) as part (oid)) as bytes
    from pg_index i where i.indrelid = $1::regclass order by i.indexrelid`,
    [`archive.${table}`],
  )
  const [total] = totals
  return {
    table,
    rows: total?.rows ?? 0,
    tableBytes: total?.bytes ?? 0,
    indexBytes: Object.fromEntries(indexes.map(({ name, bytes }) => [name.replace('archive.', ''), bytes])),
  }
}

/** PostgreSQL knows no tree of what is not partitioned. */
function withPartitions(relation: string): string {
  return `select ${relation}::regclass::oid union select relid from pg_partition_tree(${relation}::regclass)`
}

/** How many seconds it takes to vacuum each of the growing tables. */
export async function vacuumAll(admin: pg.Client, options = 'analyze'): Promise<Record<string, number>> {
  const seconds: Record<string, number> = {}
  for (const table of growingTables) {
    const begin = performance.now()
    await admin.query(`vacuum (${options}) archive.${table}`)
    seconds[table] = (performance.now() - begin) / 1000
  }
  return seconds
}
