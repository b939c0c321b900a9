import { Socket } from 'node:net'
import { isAbortedTransactionError, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { DatabaseError, UsageError } from '../errors'
import { poolForKysely } from './kysely-pool'
import type { Database } from './tables'

export interface ConnectOptions {
  /** `postgres://…`; `sslmode` may be `disable`, `require`, `verify-ca` or `verify-full`. Absent means `disable`. */
  readonly url: string
  /** Certificate authority, PEM; needed for `verify-*` where the server's is not a public one. */
  readonly ca?: string
  /** Most connections at once: few, because many workers share what the server allows. */
  readonly max?: number
  /** A connection on which nothing has moved for so long counts as dead: no statement may take longer. */
  readonly silenceMs?: number
  /** How long the server may take to let one in. */
  readonly connectMs?: number
}

/**
 * A pool of connections. Nothing is connected until the first query.
 *
 * int8 columns come as `bigint`. Idle connections do not keep the process alive, so a function's invocation ends with
 * its answer.
 */
export function connect(options: ConnectOptions): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: poolForKysely(createPool(options)) }) })
}

export function createPool({ url, ca, max = 3, silenceMs, connectMs = 15_000 }: ConnectOptions): pg.Pool {
  const pool = new pg.Pool({
    ...connectionOf(url, ca),
    application_name: 'lcic-archive',
    max,
    allowExitOnIdle: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    // A process that is stopped in the middle of a transaction must not keep its rooms' locks for good.
    idle_in_transaction_session_timeout: 15_000,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 30_000,
    types: { getTypeParser },
    ...(silenceMs !== undefined && { stream: () => socketThatGivesUp(silenceMs) }),
  })
  // A connection that breaks while idle is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => undefined)
  // While it is in use the pool does not listen; then the query, or the next one, is what fails.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * A network that swallows packets (a firewall that forgot the connection, a proxy whose other end is gone) tells nobody;
 * the system would take a quarter of an hour to notice.
 */
function socketThatGivesUp(silenceMs: number): Socket {
  const socket = new Socket()
  const silent = Object.assign(new Error('The connection to the database went silent'), { code: 'ETIMEDOUT' })
  return socket.setTimeout(silenceMs, () => socket.destroy(silent))
}

/**
 * Runs one query of a person's in a read-only transaction. It goes by the extended protocol, which takes a single
 * statement only: none can end the transaction and write after it.
 */
export async function askReadOnly(options: ConnectOptions, query: string): Promise<pg.QueryArrayResult> {
  const pool = createPool({ ...options, max: 1 })
  const client = await pool.connect()
  try {
    await client.query('begin read only')
    // Columns may have the same name.
    const single = { text: query, queryMode: 'extended', rowMode: 'array' } as const
    return await client.query(single)
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '25006') throw error
    throw new UsageError('E_USAGE', `The query would change something, and this command only reads: ${error.message}.`)
  } finally {
    client.release(true)
    await pool.end()
  }
}

/**
 * SQLSTATE classes and network codes that mean the server is not there (now), whatever was asked of it: one that has run
 * out of something, or is a standby that will be made the primary, included.
 */
export function isConnectionProblem(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isConnectionProblem)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return (
    /^(08|28|53|58|57P0|25006|25P03|3D000)/.test(code) ||
    /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE)|CERT|TLS|SSL|VERIFY/.test(code) ||
    connectionMessages.test(error.message)
  )
}

/** What the pg package says, without a code, of a connection that broke before, during or after a statement. */
const connectionMessages =
  /^(Connection terminated|Client (has encountered a connection error|was closed)|timeout exceeded when trying to connect|The server does not support SSL|There was an error establishing an SSL connection|Received unexpected \w+ message)/

/** PostgreSQL refuses a value or a row for what it is (SQLSTATE classes 22, 23 and 54): asking again changes nothing. */
export function isDataRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(22|23|54)/.test(error.code ?? '')
}

/** Any other failure of the database: it says nothing of the room that was being written. */
export function isDatabaseTrouble(error: unknown): boolean {
  // PostgreSQL answers a commit with a rollback where a statement has failed and nobody minded.
  if (isAbortedTransactionError(error)) return true
  return isConnectionProblem(error) || (error instanceof pg.DatabaseError && !isDataRefusal(error))
}

/** The same failure, saying what to look at; the URL's password is not in it. */
export function databaseUnreachable(cause: unknown): DatabaseError {
  const reasons = cause instanceof AggregateError ? cause.errors : [cause]
  const reason = reasons.map((error) => (error instanceof Error ? error.message : String(error))).join('; ')
  const code = cause instanceof pg.DatabaseError ? (cause.code ?? '') : ''
  const [, mend = 'Check DATABASE_URL, the network, and that the server is up.'] =
    mends.find(([sqlState]) => code.startsWith(sqlState)) ?? []
  return new DatabaseError('E_DATABASE_UNREACHABLE', `The database could not be reached: ${reason}. ${mend}`, { cause })
}

const mends: readonly (readonly [string, string])[] = [
  ['28', "Check the user and the password in DATABASE_URL, and the server's pg_hba.conf."],
  ['3D000', 'Create it, or check the name of the database in DATABASE_URL.'],
  ['25006', 'Check that DATABASE_URL names the primary, not a standby.'],
  ['53', 'Give the server what it has run out of.'],
]

function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === pg.types.builtins.INT8) return BigInt
  // Without a time zone there is no moment to tell: they stay as PostgreSQL writes them.
  if (oid === pg.types.builtins.DATE || oid === pg.types.builtins.TIMESTAMP) return String
  return pg.types.getTypeParser(oid, format ?? 'text')
}

/** libpq's meaning of `sslmode`, which the pg package does not share: there `require` would verify the server's name. */
function connectionOf(url: string, ca: string | undefined): pg.PoolConfig {
  const parsed = new URL(url)
  const mode = parsed.searchParams.get('sslmode') ?? 'disable'
  for (const name of [...parsed.searchParams.keys()]) if (name.startsWith('ssl')) parsed.searchParams.delete(name)
  const connectionString = parsed.toString()
  switch (mode) {
    case 'disable':
      return { connectionString, ssl: false }
    case 'require':
      return { connectionString, ssl: { rejectUnauthorized: false } }
    case 'verify-ca':
      return {
        connectionString,
        ssl: { rejectUnauthorized: true, ...(ca && { ca }), checkServerIdentity: () => undefined },
      }
    case 'verify-full':
      return { connectionString, ssl: { rejectUnauthorized: true, ...(ca && { ca }) } }
    default:
      throw new UsageError(
        'E_CONFIG',
        `DATABASE_URL: sslmode ${mode} is not supported; use disable, require, verify-ca or verify-full.`,
      )
  }
}
