import { Socket } from 'node:net'
import pg from 'pg'
import { codeOf, EmbeddedDatabaseError } from './errors'
import { roleName } from './password'

/**
 * Who uses the server is known to the server: each command holds this lock, shared, from its opening to its closing.
 * It is held in the database `postgres`, apart from all that commands lock in theirs.
 */
const usersLock = 0x6c636963
const connectTimeoutMs = 10_000

/** One command's use of the server. */
export interface Session {
  /** Leaves; and if nobody else is there, calls `stopServer` while nobody can come. */
  leave(stopServer: () => Promise<void>): Promise<void>
}

export interface JoinOptions {
  readonly port: number
  readonly password: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Joins the users of a running server, and creates their database if it is not there.
 *
 * @returns `undefined` if the server is starting, stopping or gone: look again
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_PASSWORD`
 * @throws the signal's reason when it is aborted
 */
export async function joinServer({ port, password, signal }: JoinOptions): Promise<Session | undefined> {
  signal?.throwIfAborted()
  const socket = new Socket()
  const stopWaiting = () => socket.destroy()
  signal?.addEventListener('abort', stopWaiting)
  try {
    const client = await connect(socket, port, password)
    signal?.throwIfAborted()
    if (!client) return undefined
    // Waits while somebody stops the server, and then ends with it.
    await client.query('select pg_advisory_lock_shared($1)', [usersLock])
    await createDatabase(client)
    signal?.throwIfAborted()
    return sessionOf(client, socket, port, password)
  } catch (error) {
    socket.destroy()
    signal?.throwIfAborted()
    if (isGone(error)) return undefined
    throw error
  } finally {
    signal?.removeEventListener('abort', stopWaiting)
  }
}

function sessionOf(client: pg.Client, socket: Socket, port: number, password: string): Session {
  // A command that forgets to close must end all the same.
  socket.unref()
  return {
    async leave(stopServer) {
      socket.ref()
      try {
        await leave(client, stopServer)
      } catch (error) {
        if (!isGone(error)) throw error
        // The connection broke, maybe without the server: whoever is left has to stop it.
        const again = await connect(new Socket(), port, password)
        if (again) await leave(again, stopServer)
      }
    },
  }
}

async function connect(socket: Socket, port: number, password: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: roleName,
    password,
    database: 'postgres',
    application_name: 'lcic-archive lock',
    connectionTimeoutMillis: connectTimeoutMs,
    stream: () => socket,
    // Given, because the environment's PGSSLMODE and PGOPTIONS are meant for other servers.
    ssl: false,
    options: '-c statement_timeout=0 -c lock_timeout=0',
  })
  // The query that meets the server's end is told; without a listener the event would end this process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    socket.destroy()
    if (isGone(error)) return undefined
    if (codeOf(error) !== '28P01') throw error
    throw new EmbeddedDatabaseError(
      'E_EMBEDDED_PASSWORD',
      'The embedded PostgreSQL does not accept the password in the file pgpass beside its data.' +
        ' Restore that file, or, to begin anew, move the directory postgres beside it away.',
      { cause: error },
    )
  }
}

async function leave(client: pg.Client, stopServer: () => Promise<void>): Promise<void> {
  try {
    // Out first, then the question: two who ask while both are still in would each see the other, and leave it running.
    await client.query('select pg_advisory_unlock_all()')
    const { rows } = await client.query<{ alone: boolean }>('select pg_try_advisory_lock($1) as alone', [usersLock])
    if (rows[0]?.alone) await stopServer()
  } finally {
    await client.end()
  }
}

async function createDatabase(client: pg.Client): Promise<void> {
  const { rows } = await client.query('select 1 from pg_database where datname = $1', [roleName])
  if (rows.length > 0) return
  try {
    await client.query(`create database ${client.escapeIdentifier(roleName)}`)
  } catch (error) {
    // Another command was quicker: it exists (42P04), or came to be meanwhile (23505).
    if (!['42P04', '23505'].includes(codeOf(error) ?? '')) throw error
  }
}

/** Not there yet, or not any more. */
function isGone(error: unknown): boolean {
  if (/^(57P0|53300|08|ECONN|EPIPE|ETIMEDOUT)/.test(codeOf(error) ?? '')) return true
  return (
    error instanceof Error &&
    /^(Connection terminated|timeout expired|Client was closed|Client has encountered)/.test(error.message)
  )
}
