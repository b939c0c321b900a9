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
  const { url, admin, isPrepared } = serverOf(version)
  if (!isPrepared) {
    await alone(admin, 1, async (session) => {
      const { rows } = await sql`select from pg_database where datname = ${template}`.execute(session)
      if (rows.length > 0) return
      await sql`create database ${sql.id('archive_template_tmp')}`.execute(session)
      const db = connect({ url: databaseUrl(url, 'archive_template_tmp') })
      await migrateUp(db)
      await db.destroy()
      await sql`alter database archive_template_tmp rename to ${sql.id(template)}`.execute(session)
    })
    serverOf(version).isPrepared = true
  }
  return createDatabase(version, template)
}

/** A database without anything in it. */
export async function createEmptyDatabase(version: PostgresVersion = 18): Promise<TestDatabase> {
  return createDatabase(version, 'template1')
}

async function createDatabase(version: PostgresVersion, template: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const server = serverOf(version)
  // Files are copied twice as quickly as pages are logged, and with them what a first connection would have to find out.
  const strategy = version < 15 ? sql`` : sql`strategy file_copy`
  // A template that is being cloned by another cannot be cloned.
  await alone(server.admin, 2, async (session) => {
    await sql`create database ${sql.id(name)} template ${sql.id(template)} ${strategy}`.execute(session)
  })
  const url = databaseUrl(server.url, name)
  const db = connect({ url, max: 20 })
  return {
    url,
    db,
    async drop() {
      await db.destroy()
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(server.admin)
      await sql`drop database if exists ${sql.id(name)}`.execute(server.admin)
    },
  }
}

/** Tests run in several processes: only one of them at a time does this. */
function alone(
  admin: Kysely<Database>,
  lock: number,
  work: (session: Kysely<Database>) => Promise<void>,
): Promise<void> {
  return admin.connection().execute(async (session) => {
    await sql`select pg_advisory_lock(${lock})`.execute(session)
    try {
      await work(session)
    } finally {
      await sql`select pg_advisory_unlock(${lock})`.execute(session)
    }
  })
}

interface Server {
  readonly url: string
  /** A superuser's connections, kept: to connect takes longer than to create a database. */
  readonly admin: Kysely<Database>
  /** The template is there. */
  isPrepared: boolean
}

const servers = new Map<PostgresVersion, Server>()

function serverOf(version: PostgresVersion): Server {
  const url = inject(version === 18 ? 'postgres18Url' : 'postgres12Url')
  const server = servers.get(version) ?? { url, admin: connect({ url, max: 2 }), isPrepared: false }
  servers.set(version, server)
  return server
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.toString()
}
