import type { Readable } from 'node:stream'
import { Kysely, PostgresDialect, type RawBuilder, sql } from 'kysely'
import type pg from 'pg'
import copyStreams from 'pg-copy-streams'
import { type ConnectOptions, createPool } from './connect'

/** A reader waits for the other at times, and for the first row of what is large. */
const SILENCE_MS = 600_000

/** Views of schema analytics, as they all were at one moment, by way of one connection: one question at a time. */
export interface AnalyticsSnapshot {
  /** What all rows depend on. */
  terms(span: MonthSpan): Promise<SnapshotTerms>
  /** The months that rooms of the span started in, and null for those that have no start, which no span holds. */
  months(span: MonthSpan): Promise<SnapshotMonth[]>
  columns(view: string): Promise<SnapshotColumn[]>
  /**
   * The rows of a month as `copy … to stdout (format binary)` sends them, in no order, which is room by room: to sort them
   * would take PostgreSQL as long as to find them. To be read to their end.
   */
  rows(view: string, month: string | null): Promise<Readable>
}

/** Whole months, from the one that `from` lies in to the one that lies before `to`. Dates are in the time zone of the settings. */
export interface MonthSpan {
  readonly from?: Date | string
  readonly to?: Date | string
}

export interface SnapshotTerms {
  readonly timeZone: string
  /** Changes with the settings and with the definition of any view. */
  readonly definitions: string
  isInSpan(month: string | null): boolean
}

export interface SnapshotMonth {
  /** `YYYY-MM`. */
  readonly month: string | null
  readonly rooms: number
  /** Members of the rooms, as LCIC counted them. */
  readonly records: number
  /** Changes with any of the rooms, and so with any of their members: these count up their room's revision. */
  readonly content: string
}

export interface SnapshotColumn {
  readonly name: string
  /** PostgreSQL's object id of the type. */
  readonly type: number
}

/**
 * Takes a snapshot, and keeps it for as long as it is read.
 *
 * @param readers how many may read it at the same time, each with a connection of its own
 */
export async function inAnalyticsSnapshot<T>(
  options: ConnectOptions,
  readers: number,
  read: (snapshots: readonly AnalyticsSnapshot[]) => Promise<T>,
): Promise<T> {
  const pool = createPool({ silenceMs: SILENCE_MS, ...options, max: readers })
  const clients: pg.PoolClient[] = []
  try {
    let id: string | undefined
    while (clients.length < readers) {
      const client = await pool.connect()
      clients.push(client)
      await client.query('begin isolation level repeatable read read only')
      if (id !== undefined) await client.query(`set transaction snapshot ${client.escapeLiteral(id)}`)
      for (const setting of settings) await client.query(`set local ${setting}`)
      if (readers > 1 && id === undefined) {
        const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id')
        id = rows[0]?.id
      }
    }
    return await read(clients.map((client) => snapshotOn(client, pool)))
  } finally {
    // Whatever is still being sent ends with the connection.
    for (const client of clients) client.release(true)
    await pool.end()
  }
}

const settings = [
  // Texts of rows and of definitions are compared with those of other runs.
  "timezone to 'UTC'",
  'search_path to pg_catalog',
  // The members of a month's rooms lie side by side: they are found in the index, not by reading everyone's.
  'random_page_cost to 1',
  // The readers share the work as it is, and each row comes by way of one process less, room by room.
  'max_parallel_workers_per_gather to 0',
  'jit to off',
  // One of them waits until the other is done.
  "idle_in_transaction_session_timeout to '10min'",
]

function snapshotOn(client: pg.PoolClient, pool: pg.Pool): AnalyticsSnapshot {
  // Only to write SQL with: it would ask on a connection of its own.
  const compiler = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  const ask = async <Row extends pg.QueryResultRow>(query: RawBuilder<Row>): Promise<pg.QueryResult<Row>> => {
    const { sql: text, parameters } = query.compile(compiler)
    return client.query<Row>(text, [...parameters])
  }

  return {
    async terms(span) {
      const { rows } = await ask(sql<{ timeZone: string; definitions: string; from: string; to: string }>`
        select s.time_zone as "timeZone", md5(concat_ws('|', s::text, views.texts, functions.texts)) as definitions,
          to_char(${firstMonth(span)}, 'YYYY-MM') as from, to_char(${lastMonth(span)}, 'YYYY-MM') as to
        from analytics.settings s
        cross join (
          select string_agg(pg_get_viewdef(c.oid), ';' order by n.nspname, c.relname) as texts
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('analytics', 'archive') and c.relkind = 'v') as views
        cross join (
          select string_agg(p.prosrc, ';' order by n.nspname, p.proname) as texts
          from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where n.nspname in ('analytics', 'archive')) as functions`)
      const [terms] = rows
      if (!terms) throw new TypeError('There are no settings.')
      const { from, to, timeZone, definitions } = terms
      const isInSpan = (month: string | null) =>
        month === null ? from === null && to === null : (from ?? month) <= month && month <= (to ?? month)
      return { timeZone, definitions, isInSpan }
    },

    async months(span) {
      const { rows } = await ask(sql<SnapshotMonth>`
        select to_char(d.month_start, 'YYYY-MM') as month, count(*)::int as rooms,
          coalesce(sum(d.records), 0)::float8 as records, sum(hashtextextended(d::text, 0))::text as content
        from analytics.dim_room d, analytics.settings s
        where (${firstMonth(span)} is null or d.month_start >= ${firstMonth(span)})
          and (${lastMonth(span)} is null or d.month_start <= ${lastMonth(span)})
        group by d.month_start
        order by d.month_start`)
      return rows
    },

    async columns(view) {
      const { fields } = await ask(
        sql<Record<string, unknown>>`select * from ${sql.table(`analytics.${view}`)} limit 0`,
      )
      return fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
    },

    async rows(view, month) {
      // COPY takes no parameters; it can ask for a setting of the transaction.
      await ask(
        sql<
          Record<string, unknown>
        >`select set_config('lcic_archive.month', ${month === null ? '' : `${month}-01`}, true)`,
      )
      const isOfMonth = month === null ? sql`is null` : sql`= current_setting('lcic_archive.month')::date`
      const { sql: text } = sql`
        copy (select * from ${sql.table(`analytics.${view}`)} where month_start ${isOfMonth})
        to stdout (format binary)`.compile(compiler)
      const rows = client.query(copyStreams.to(text))
      // It only tells of a connection that broke: who begins to read later, or has ended, would not hear of it.
      return rows.on('error', (error) => rows.destroy(error))
    },
  }
}

const firstMonth = ({ from }: MonthSpan) => sql`date_trunc('month', ${localTime(from)})::date`
/** What ends where a month begins does not touch it. */
const lastMonth = ({ to }: MonthSpan) => sql`date_trunc('month', ${localTime(to)} - interval '1 microsecond')::date`

function localTime(moment: Date | string | undefined): RawBuilder<unknown> {
  if (moment instanceof Date) return sql`(${moment}::timestamptz at time zone s.time_zone)`
  return sql`${moment ?? null}::timestamp`
}
