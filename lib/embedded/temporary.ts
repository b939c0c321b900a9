import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf, undefinedIfAbsent } from './errors'

/** A name beside `path` for something half-made; it names its maker, so that what a killed one leaves is recognised. */
export function temporaryPath(path: string): string {
  return `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
}

/**
 * Gives what was made its name, unless another process was first.
 *
 * @returns whether it was us. If not, `made` is still there.
 */
export async function publish(made: string, path: string): Promise<boolean> {
  try {
    await rename(made, path)
    await sync(dirname(path))
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

/** Makes a name last: what is written later below it would be lost with it in a crash of the machine. */
async function sync(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what killed processes left half-made in a directory. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of (await readdir(directory).catch(undefinedIfAbsent)) ?? []) {
    const pid = /\.(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1]
    if (!pid) continue
    const leftover = join(directory, name)
    if (await isBeingMade(leftover, Number(pid))) continue
    // Its maker's children may still write. What cannot be removed even so is tried again next time.
    await rm(leftover, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
  }
}

async function isBeingMade(path: string, pid: number): Promise<boolean> {
  if (pid !== process.pid) return isAlive(pid)
  // In a container every life of a process has the same id: what is older than this one was left by an earlier one.
  const made = await stat(path).catch(undefinedIfAbsent)
  return made !== undefined && made.mtimeMs >= Date.now() - process.uptime() * 1000
}

/** Whether a process has this id, whosever it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}
