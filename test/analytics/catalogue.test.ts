import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DescribedSchema, readCatalogue } from '../../lib/docs/read-catalogue'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'

/** Columns that hold codes: their own words stand beside them. */
const codes = /^(last_)?(role|room_type|device|current_state|attendance_status|risk_level|region|finding)$/

/** Moments that analysts group by the hour or show: their local time stands beside them. */
const localTwins: Readonly<Record<string, readonly string[]>> = {
  dim_room: ['started_at', 'ended_at'],
  fact_room_session: ['started_at', 'ended_at'],
  fact_attendance: ['first_join_at', 'last_quit_at'],
  fact_concurrency: ['at'],
}

describe.each(postgresVersions)('the catalogue on PostgreSQL %i', (version) => {
  let database: TestDatabase
  let schemas: readonly DescribedSchema[]
  beforeAll(async () => {
    database = await createTestDatabase(version)
    schemas = await readCatalogue(database.db)
  })
  afterAll(() => database?.drop())

  const relations = () => schemas.flatMap((schema) => schema.relations)
  const views = () => relations().filter(({ schema }) => schema === 'analytics')

  test('every schema, view, table and column says what it is', () => {
    const described = [
      ...schemas,
      ...relations(),
      ...relations().flatMap(({ columns, schema, name }) =>
        columns.map((column) => ({ ...column, name: `${schema}.${name}.${column.name}` })),
      ),
    ]
    expect(described.length).toBeGreaterThan(400)
    expect(described.filter(({ about }) => !/\S.*[.)]$/s.test(about)).map(({ name }) => name)).toEqual([])
  })

  test('every code in analytics has its label beside it', () => {
    const coded = views().flatMap(({ name, columns }) =>
      columns.flatMap((column, index) => {
        // By name, or because its comment lists numbers and what they mean.
        if (!codes.test(column.name) && !/\b0 \w+.*\b1 \w+/.test(column.about)) return []
        const { name: next, type } = columns[index + 1] ?? {}
        return [{ column: `${name}.${column.name}`, isLabelled: next === `${column.name}_label` && type === 'text' }]
      }),
    )
    expect(coded.length).toBeGreaterThanOrEqual(12)
    expect(coded.filter(({ isLabelled }) => !isLabelled)).toEqual([])
  })

  test('moments are timestamptz, local times and dates have no zone', () => {
    const columns = views().flatMap(({ name, columns }) => columns.map((column) => ({ view: name, ...column })))
    const typesOf = (pattern: RegExp) => [
      ...new Set(columns.filter(({ name }) => pattern.test(name)).map(({ type }) => type)),
    ]
    expect(typesOf(/(^|_)at$|^swept_|^oldest_due/)).toEqual(['timestamp with time zone'])
    expect(typesOf(/_local$/)).toEqual(['timestamp without time zone'])
    expect(typesOf(/^(date|week_start|month_start|cohort_month)$|_date$/)).toEqual(['date'])
    for (const [view, moments] of Object.entries(localTwins)) {
      const names = columns.filter((column) => column.view === view).map(({ name }) => name)
      for (const moment of moments)
        expect(names.slice(names.indexOf(moment)).slice(0, 2)).toEqual([moment, `${moment}_local`])
    }
  })

  test('no view can be looked through by a function in a condition: each is a security barrier', async () => {
    const { rows } = await sql<{ name: string; options: string[] | null }>`
      select relnamespace::regnamespace || '.' || relname as name, reloptions as options
      from pg_class
      where relkind = 'v' and relnamespace in ('analytics'::regnamespace, 'analytics_pii'::regnamespace)`.execute(
      database.db,
    )
    expect(rows.length).toBeGreaterThanOrEqual(17)
    const isBarrier = (options: string[] | null) => options?.includes('security_barrier=true') ?? false
    expect(rows.filter(({ options }) => !isBarrier(options)).map(({ name }) => name)).toEqual([])
  })
})
