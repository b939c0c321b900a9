import { spawn } from 'node:child_process'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { systemClock } from '../clock'
import type { Binaries } from './binaries'
import { codeOf, EmbeddedDatabaseError, undefinedIfAbsent } from './errors'
import { findServer, isPostgres, type RunningServer } from './postmaster-file'
import { type ProgramUser, programDirectory, programEnvironment } from './run-program'

/** The same each time, so that a psql command of yesterday works today; high, so that few servers want it. */
const preferredPort = 55432
const maxLogBytes = 5 * 1024 * 1024
const pollMs = 5
const usualStartMs = 2_000
const stopTimeoutMs = 60_000

/**
 * What each server gets. Nothing of it is kept in the data directory. The log has no statements and no details: they
 * would be names and addresses of people.
 */
const ownSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
}

export interface StartServerOptions {
  readonly binaries: Binaries
  readonly user: ProgramUser | undefined
  /** Real path. */
  readonly dataDirectory: string
  readonly logFile: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  readonly onProgress?: ((message: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts a server that outlives this process, in a session of its own: Ctrl-C in our terminal does not reach it.
 *
 * @returns once it is ready, or `undefined` if it ended because another one has the data or the port: look again
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_START` with what it said
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer | undefined> {
  const { binaries, user, dataDirectory, logFile, port, onProgress, signal } = options
  const log = await openLog(logFile)
  try {
    const logStart = (await log.stat()).size
    const settings = Object.entries({ ...ownSettings, ...options.settings, port: String(port) })
    const child = spawn(
      binaries.postgres,
      ['-D', dataDirectory, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      {
        ...user,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        cwd: programDirectory,
        env: programEnvironment,
      },
    )
    child.unref()
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(String(error)))
      child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`))
    })

    // A usual start is finished even if nobody wants it any more: then the server can be stopped in order.
    let isSlow = false
    for (const begin = Date.now(); ; ) {
      if (!isSlow && Date.now() - begin > usualStartMs) {
        isSlow = true
        onProgress?.('waiting for PostgreSQL to recover from a crash')
      }
      const end = await Promise.race([ended, systemClock.sleep(pollMs, isSlow ? signal : undefined)])
      if (end !== undefined) return endedEarly(end, await readFrom(log, logStart), dataDirectory, logFile)
      const server = await findServer(dataDirectory)
      if (server?.pid === child.pid && server?.status === 'ready') return server
    }
  } finally {
    await log.close()
  }
}

/**
 * Stops the server and waits until it is gone. Its clients are disconnected, their transactions rolled back.
 * One that needs longer than a minute is left to finish by itself: the next command waits for it.
 */
export async function stopServer(directory: string): Promise<void> {
  const dataDirectory = await realpath(directory).catch(undefinedIfAbsent)
  const server = dataDirectory && (await findServer(dataDirectory))
  if (!server) return
  try {
    process.kill(server.pid, 'SIGINT')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
  const deadline = Date.now() + stopTimeoutMs
  while ((await isPostgres(server.pid)) && Date.now() < deadline) await systemClock.sleep(pollMs)
}

/** A free port, the preferred one if it is. It may be taken a moment later: then the server does not start. */
export async function findPort(): Promise<number> {
  return (await tryPort(preferredPort)) ?? (await tryPort(0)) ?? preferredPort
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}

function endedEarly(how: string, said: string, dataDirectory: string, logFile: string): undefined {
  // It was ready, and another process came, left and stopped it.
  if (how === 'exit code 0') return undefined
  // The data directory's lock file, a dying server's shared memory, or the port: another process has it.
  if (/lock file ".*" (already exists|is empty)|is still in use|Address already in use/.test(said)) return undefined
  const lastLines = said.trim().split('\n').slice(-12).join('\n')
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_START',
    `PostgreSQL did not start on ${dataDirectory} (${how}). The end of ${logFile}:\n${lastLines}`,
  )
}

async function openLog(path: string): Promise<FileHandle> {
  const log = await open(path, 'a+', 0o600)
  if ((await log.stat()).size > maxLogBytes) await log.truncate()
  return log
}

async function readFrom(log: FileHandle, start: number): Promise<string> {
  const { size } = await log.stat()
  // Another start may have begun the log anew.
  const position = size < start ? 0 : start
  const { buffer, bytesRead } = await log.read(Buffer.alloc(size - position), 0, size - position, position)
  return buffer.toString('utf8', 0, bytesRead)
}
