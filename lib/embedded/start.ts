import { prepareBinaries } from './binaries'
import { createDataDirectory, findDataDirectory, handOver } from './data-directory'
import type { BinariesPackage } from './find-package'
import { readPassword } from './password'
import type { RunningServer } from './postmaster-file'
import { findPort, startServer } from './server'
import { findServerUser } from './system-user'
import { removeLeftovers } from './temporary'

export interface StartOptions {
  /** Real path. */
  readonly directory: string
  readonly source: BinariesPackage
  /** The data directory, if there is one. */
  readonly existing: string | undefined
  readonly logFile: string
  readonly home: string
  readonly settings: Readonly<Record<string, string>>
  readonly onProgress?: ((message: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts the server, on new data if there are none.
 *
 * @returns `undefined` if another process was quicker: look again
 */
export async function start(options: StartOptions): Promise<RunningServer | undefined> {
  const { directory, source, existing, logFile, home, settings, onProgress, signal } = options
  const user = await findServerUser(existing, signal)
  for (const place of [directory, existing, user && home]) if (place) await removeLeftovers(place)
  const binaries = await prepareBinaries({ source, user, copies: user ? home : directory, onProgress, signal })
  if (existing) {
    // A server that nobody can use would have to be stopped by hand.
    await readPassword(directory)
    if (user) await handOver(existing, user, signal)
  } else {
    onProgress?.('creating the database (first run, about 2 s)')
    await createDataDirectory({ directory, binaries, user, home, durable: settings.fsync !== 'off', signal })
  }
  const dataDirectory = existing ?? (await findDataDirectory(directory, source))
  if (!dataDirectory) return undefined
  const port = await findPort()
  return startServer({ binaries, user, dataDirectory, logFile, port, settings, onProgress, signal })
}
