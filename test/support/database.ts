import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { inject } from 'vitest'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'

export interface TestDatabase {
  readonly url: string
  readonly db: Kysely<Database>
  drop(): Promise<void>
}

export type PostgresVersion = 12 | 18

/** The versions that tests run on here. */
export const postgresVersions: readonly PostgresVersion[] = inject('postgres12Url') ? [18, 12] : [18]

/** A database of its own, migrated: cloned from a template that the first to come makes. */
export async function createTestDatabase(version: PostgresVersion = 18): Promise<TestDatabase> {
  const template = 'archive_template'
  await onServer(version, async (admin) => {
    // Tests run in several processes.
    await sql`select pg_advisory_lock(1)`.execute(admin)
    const { rows } = await sql`select from pg_database where datname = ${template}`.execute(admin)
    if (rows.length > 0) return
    await sql`create database ${sql.id('archive_template_tmp')}`.execute(admin)
    const db = connect({ url: databaseUrl(version, 'archive_template_tmp') })
    await migrateUp(db)
    await db.destroy()
    await sql`alter database archive_template_tmp rename to ${sql.id(template)}`.execute(admin)
  })
  return createDatabase(version, template)
}

/** A database without anything in it. */
export async function createEmptyDatabase(version: PostgresVersion = 18): Promise<TestDatabase> {
  return createDatabase(version, 'template1')
}

async function createDatabase(version: PostgresVersion, template: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await onServer(version, async (admin) => {
    // A template that is being cloned by another cannot be cloned.
    await sql`select pg_advisory_lock(2)`.execute(admin)
    await sql`create database ${sql.id(name)} template ${sql.id(template)}`.execute(admin)
  })
  const url = databaseUrl(version, name)
  const db = connect({ url, max: 20 })
  return {
    url,
    db,
    async drop() {
      await db.destroy()
      await onServer(version, async (admin) => {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(admin)
        await sql`drop database if exists ${sql.id(name)}`.execute(admin)
      })
    },
  }
}

/** Runs on one connection, so that its session's locks last until the end. */
async function onServer(version: PostgresVersion, work: (admin: Kysely<Database>) => Promise<void>): Promise<void> {
  const admin = connect({ url: serverUrl(version), max: 1 })
  try {
    await work(admin)
  } finally {
    await admin.destroy()
  }
}

function serverUrl(version: PostgresVersion): string {
  return inject(version === 18 ? 'postgres18Url' : 'postgres12Url')
}

function databaseUrl(version: PostgresVersion, name: string): string {
  const url = new URL(serverUrl(version))
  url.pathname = `/${name}`
  return url.toString()
}
