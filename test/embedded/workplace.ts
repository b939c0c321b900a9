import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dataDirectoryIn } from '../../lib/embedded/data-directory'
import { stopServer } from '../../lib/embedded/server'

/** Nothing in these tests has to outlive a crash of the machine. */
export const fast = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

export const isRoot = process.getuid?.() === 0

/** A directory for the tests of one file. If the run is killed, the next one removes it (see global-setup.ts). */
export const workplace = join(tmpdir(), `lcic-archive-test-${process.pid}`)

export async function makeWorkplace(): Promise<void> {
  await mkdir(workplace)
  await chmod(workplace, 0o711)
}

export async function removeWorkplace(): Promise<void> {
  // Those of failed tests.
  for (const name of await readdir(workplace)) await stopServer(dataDirectoryIn(join(workplace, name)))
  await rm(workplace, { recursive: true, force: true })
}
