import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../../lib/embedded'
import { stopServer } from '../../lib/embedded/server'

/** How PostgreSQL is stopped: with a checkpoint, or as in a crash. */
export type Ending = 'SIGINT' | 'SIGQUIT' | 'SIGKILL'

/** A PostgreSQL that can be made to fail, with a database for the round. */
export interface Postgres extends AsyncDisposable {
  port(): number
  readonly password: string
  /** Of the round's database, by way of this port. */
  urlBy(port: number): string
  /** Connections past all that is disturbed; others after each restart. */
  db(): Kysely<Database>
  restart(ending: Ending): Promise<void>
  /** Kills one process that serves a worker: PostgreSQL takes that for a crash, and ends them all. */
  killBackend(draw: number): Promise<void>
  /** Ends all connections of workers in order. @returns how many */
  terminateBackends(): Promise<number>
  /** Has it refuse writes, as one does that is about to be the primary, or take them again; connections are ended. */
  setReadOnly(isReadOnly: boolean): Promise<void>
}

/** Where servers run that were started from here: whatever happens to this process, they end with it. */
const running = new Set<string>()
process.on('exit', () => {
  for (const dataDirectory of running) {
    try {
      const [pid = ''] = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')
      process.kill(Number(pid), 'SIGQUIT')
    } catch {
      // It has ended.
    }
  }
})

/** A crash of the machine is not among what is tried; everything else is as it is in use. */
const settings = { fsync: 'off', max_connections: '150' }

export async function openPostgres(directory: string, name: string): Promise<Postgres> {
  const open = () => openEmbeddedDatabase({ directory, settings })
  let server: EmbeddedDatabase = await open()
  running.add(server.dataDirectory)
  const { password } = new URL(server.url)
  const urlBy = (port: number) => {
    const url = new URL(server.url)
    url.port = String(port)
    url.pathname = `/${name}`
    return url.toString()
  }
  await withConnection(server.url, (admin) => sql`create database ${sql.id(name)}`.execute(admin))
  const connectDirectly = () => {
    const url = new URL(urlBy(server.port))
    // Here it is written to in any case.
    url.searchParams.set('options', '-c default_transaction_read_only=off')
    return connect({ url: url.toString(), max: 6, connectMs: 5000 })
  }
  let db = connectDirectly()
  await migrateUp(db)

  return {
    port: () => server.port,
    password,
    urlBy,
    db: () => db,
    async restart(ending) {
      process.kill(await postmasterPid(server.dataDirectory), ending)
      await server.close().catch(() => undefined)
      await stopServer(server.dataDirectory)
      server = await open()
      const before = db
      db = connectDirectly()
      await before.destroy()
    },
    async killBackend(draw) {
      const pids = await backends(db)
      const pid = pids[Math.floor(draw * pids.length)]
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    },
    terminateBackends: () => terminateBackends(db),
    async setReadOnly(isReadOnly) {
      const change = isReadOnly ? sql`set default_transaction_read_only = on` : sql`reset default_transaction_read_only`
      await sql`alter database ${sql.id(name)} ${change}`.execute(db)
      await terminateBackends(db)
    },
    async [Symbol.asyncDispose]() {
      await db.destroy()
      await withConnection(server.url, (admin) =>
        sql`drop database if exists ${sql.id(name)} with (force)`.execute(admin),
      ).catch(() => undefined)
      await server.close().catch(() => undefined)
      await stopServer(server.dataDirectory)
      running.delete(server.dataDirectory)
    },
  }
}

async function withConnection(url: string, work: (db: Kysely<Database>) => Promise<unknown>): Promise<void> {
  const db = connect({ url, max: 1 })
  try {
    await work(db)
  } finally {
    await db.destroy()
  }
}

/** Those that serve workers, in a fixed order: not those that ask here. */
async function backends(db: Kysely<Database>): Promise<number[]> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity
    where application_name = 'lcic-archive' and datname = current_database() and pid <> pg_backend_pid()
    order by backend_start`.execute(db)
  return rows.map(({ pid }) => pid)
}

async function terminateBackends(db: Kysely<Database>): Promise<number> {
  const pids = await backends(db)
  await sql`select pg_terminate_backend(pid) from unnest(${pids}::int[]) as pid`.execute(db)
  return pids.length
}

async function postmasterPid(dataDirectory: string): Promise<number> {
  const [pid = ''] = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')
  return Number(pid)
}
