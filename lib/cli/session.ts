import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { ArchiveContext } from '../archive/context'
import { openContext } from '../archive/open-context'
import { type Config, readConfig } from '../config'
import { connect, databaseUnreachable, isConnectionProblem } from '../db/connect'
import { migrateUp, pendingMigrations } from '../db/migrate'
import { readAnalyticsAccess } from '../db/read-analytics-access'
import { readServer } from '../db/read-server'
import type { Database } from '../db/tables'
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../embedded'
import { UsageError } from '../errors'
import { createLog } from '../log'
import { remark } from './output'
import { interruption } from './signals'

/** Where the command line keeps its own PostgreSQL. */
export const dataDirectory = () => join(process.cwd(), '.data')

/** A statement takes seconds at most, and leases last a minute. */
const SILENCE_MS = 60_000

/** What a report tells of a large archive may take minutes. */
const ANSWER_MS = 600_000

/** An open database, the embedded one unless DATABASE_URL names another. */
export interface DatabaseSession extends AsyncDisposable {
  readonly db: Kysely<Database>
  readonly url: string
  readonly embedded?: EmbeddedDatabase
}

interface OpenOptions {
  readonly migrated?: boolean
  readonly reads?: 'archive' | 'analytics' | 'either'
  readonly database?: string
}

/**
 * Opens the database. The embedded one is migrated as it is opened; another one belongs to somebody, who runs `migrate`.
 *
 * @param reads `analytics`: only its views, as a role that may use nothing else; `either`: whatever the role may
 * @throws {UsageError} `E_MIGRATIONS_PENDING`, `E_RIGHTS`
 * @throws {DatabaseError} `E_DATABASE_UNREACHABLE`
 */
export async function openDatabase(
  config: Config,
  { migrated = true, reads = 'archive', database }: OpenOptions = {},
): Promise<DatabaseSession> {
  const embedded = config.databaseUrl === undefined ? await openEmbedded() : undefined
  const url = withDatabase(config.databaseUrl ?? embedded?.url ?? '', database)
  const db = connect({
    url,
    ...(config.databaseCa && { ca: config.databaseCa }),
    // A migration may take as long as it takes; the embedded database is migrated as it is opened.
    ...(migrated && !embedded && { silenceMs: reads === 'analytics' ? ANSWER_MS : SILENCE_MS }),
  })
  const session = {
    db,
    url,
    ...(embedded && { embedded }),
    async [Symbol.asyncDispose]() {
      await db.destroy()
      await embedded?.close()
    },
  }
  try {
    if (embedded && migrated) await migrateUp(db)
    else if (migrated && reads === 'analytics') await requireAnalytics(db)
    else if (migrated && reads === 'either') await requireAnalytics(db).catch(() => requireMigrations(db))
    else if (migrated) await requireMigrations(db)
    return session
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw isConnectionProblem(error) ? databaseUnreachable(error) : error
  }
}

export async function openEmbedded(): Promise<EmbeddedDatabase> {
  return openEmbeddedDatabase({ directory: dataDirectory(), onProgress: remark, signal: interruption })
}

/** What archiving needs, on an open database; credentials are looked for before anything is done. */
export function archiveContext(
  config: Config,
  db: Kysely<Database>,
  observe?: ArchiveContext['observe'],
): ArchiveContext & Disposable {
  // Where stderr is a terminal, progress is shown there instead.
  const log = createLog(config.logLevel ?? (process.stderr.isTTY ? 'error' : 'info'))
  return Object.assign(openContext(config, { db, log }), observe && { observe })
}

/** Checks the whole environment, credentials included. */
export function readConfigWithCredentials(): Config {
  const config = readConfig()
  config.lcic.credentials()
  return config
}

async function requireMigrations(db: Kysely<Database>): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length === 0) return
  const { role, maySeeArchive } = await readServer(db)
  if (!maySeeArchive)
    throw new UsageError(
      'E_RIGHTS',
      `Role ${role} may not use schema archive. Grant it lcic_monitor, which is enough for status, or lcic_writer for ` +
        'commands that archive; lcic_reader is for the views of schema analytics.',
    )
  throw new UsageError(
    'E_MIGRATIONS_PENDING',
    `The database lacks ${pending.join(', ')}. Run lcic-archive migrate as a role that may create tables.`,
  )
}

async function requireAnalytics(db: Kysely<Database>): Promise<void> {
  const access = await readAnalyticsAccess(db)
  if (access.exists && access.mayUse) return
  if (access.exists)
    throw new UsageError('E_RIGHTS', `Role ${access.role} may not use schema analytics. Grant it lcic_reader.`)
  throw new UsageError(
    'E_MIGRATIONS_PENDING',
    'The database lacks schema analytics. Run lcic-archive migrate as a role that may create tables.',
  )
}

function withDatabase(url: string, database: string | undefined): string {
  if (database === undefined) return url
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.toString()
}
