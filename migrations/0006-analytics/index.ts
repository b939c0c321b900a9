import { type Kysely, sql } from 'kysely'
import { deriveColumns, dropColumns, dropFunctions } from './derived'
import { foundations } from './foundations'
import { peopleViews } from './people-views'
import { roomViews } from './room-views'
import { createTables, dropTables } from './tables'
import { personalViews, trustViews } from './trust-views'
import type { View } from './view'

/**
 * What analysts get: schema `analytics`, free of personal data, and `analytics_pii`, which is granted apart. Plain views
 * of the archive: they are as current as it is. A change that would break their readers makes a schema `analytics_v2`.
 */
const schemas: Readonly<Record<string, { about: string; views: Readonly<Record<string, View>> }>> = {
  archive: { about: 'What LCIC said, as it was archived; its tables may change.', views: foundations },
  analytics: {
    about:
      'Classes, attendance, courses and the completeness of the archive, for analysts: no names, addresses or places.',
    views: { ...roomViews, ...peopleViews, ...trustViews },
  },
  analytics_pii: { about: 'Names, addresses and places: personal data, granted apart.', views: personalViews },
}

export async function up(db: Kysely<unknown>): Promise<void> {
  await createTables(db)
  await deriveColumns(db)
  for (const [schema, { about, views }] of Object.entries(schemas)) {
    await sql`create schema if not exists ${sql.id(schema)}`.execute(db)
    await sql`comment on schema ${sql.id(schema)} is ${sql.lit(about)}`.execute(db)
    for (const [name, view] of Object.entries(views)) await createView(db, sql.id(schema, name), schema, view)
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const [schema, { views }] of Object.entries(schemas).reverse()) {
    for (const name of Object.keys(views).reverse()) await sql`drop view ${sql.id(schema, name)}`.execute(db)
    if (schema !== 'archive') await sql`drop schema ${sql.id(schema)}`.execute(db)
  }
  await dropColumns(db)
  await dropTables(db)
  await dropFunctions(db)
}

/** Analysts' views are barriers: no function in a query sees a row that its role may not. */
async function createView(
  db: Kysely<unknown>,
  name: ReturnType<typeof sql.id>,
  schema: string,
  { about, columns, query }: View,
): Promise<void> {
  const barrier = schema === 'archive' ? sql`` : sql`with (security_barrier)`
  const names = sql.join(Object.keys(columns).map((column) => sql.id(column)))
  await sql`create view ${name} (${names}) ${barrier} as ${sql.raw(query)}`.execute(db)
  await sql`comment on view ${name} is ${sql.lit(about)}`.execute(db)
  for (const [column, text] of Object.entries(columns))
    await sql`comment on column ${name}.${sql.id(column)} is ${sql.lit(text)}`.execute(db)
}
