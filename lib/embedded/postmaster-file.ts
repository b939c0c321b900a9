import { link, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { codeOf, undefinedIfAbsent } from './errors'
import { runProgram } from './run-program'
import { isAlive, temporaryPath } from './temporary'

/** A server of a data directory, as its postmaster.pid describes it. */
export interface RunningServer {
  readonly pid: number
  readonly port: number
  /** `undefined` is the moment after its start. */
  readonly status: 'starting' | 'ready' | 'stopping' | undefined
}

/** A file that is still incomplete after this time is what a crash left: PostgreSQL would wait for its writer forever. */
const incompleteFileIsStaleMs = 3_000

/**
 * The server that runs on this data directory, if one does. It may be starting or stopping.
 *
 * A file that no server has is removed: PostgreSQL would not start if another program has the process id now; and two of
 * its servers that find the file of a dead one at once may each remove the other's. That no process of the dead one still
 * works on the data is made sure by its shared memory, whose key is the directory's inode (since PostgreSQL 13).
 */
export async function findServer(dataDirectory: string): Promise<RunningServer | undefined> {
  const file = join(dataDirectory, 'postmaster.pid')
  const text = await readFile(file, 'utf8').catch(undefinedIfAbsent)
  if (text === undefined) return undefined
  const [pid = '', startedAs = '', , port = '', , , , status = ''] = text.split('\n')
  if (/^\d+$/.test(pid)) {
    if (isAlive(Number(pid)) && (await isServerOf(Number(pid), dataDirectory, startedAs))) {
      return { pid: Number(pid), port: Number(port), status: (status.trim() || undefined) as RunningServer['status'] }
    }
    await removeStale(file, text)
  } else {
    const { mtimeMs = Date.now() } = (await stat(file).catch(undefinedIfAbsent)) ?? {}
    if (Date.now() - mtimeMs > incompleteFileIsStaleMs) await removeStale(file, text)
  }
  return undefined
}

/** Whether this process is a PostgreSQL server, dead ones that nobody has waited for not counted. */
export async function isPostgres(pid: number): Promise<boolean> {
  return basename((await commandOf(pid))[0] ?? '') === 'postgres'
}

async function isServerOf(pid: number, dataDirectory: string, startedAs: string): Promise<boolean> {
  if (!(await isPostgres(pid))) return false
  // Where its work directory can be read, it tells apart a moved data directory (still its own) from a copied one.
  const [works, data] = await Promise.all([
    stat(`/proc/${pid}/cwd`).catch(() => undefined),
    stat(dataDirectory).catch(undefinedIfAbsent),
  ])
  if (works && data) return works.ino === data.ino && works.dev === data.dev
  return startedAs === dataDirectory && (await commandOf(pid)).join(' ').includes(`-D ${dataDirectory}`)
}

/** The words of a process's command line; an empty one if it is gone. */
async function commandOf(pid: number): Promise<readonly string[]> {
  if (process.platform === 'linux') {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch((error) => {
      // Gone meanwhile, or another user's and hidden. Any other failure must not be taken for that.
      if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
      return ''
    })
    return line.split('\0')
  }
  // In the C locale ps would not write letters beyond ASCII as they are.
  const { output } = await runProgram('env', ['LC_ALL=en_US.UTF-8', 'ps', '-ww', '-o', 'command=', '-p', String(pid)])
  const program = output.replace(/ -D .*/s, '')
  return [program, output.slice(program.length).trim()]
}

/**
 * Takes the file away, then looks at what was taken: if another process did the same just before and started a server
 * since, the file is that server's, and goes back.
 */
async function removeStale(file: string, stale: string): Promise<void> {
  const taken = temporaryPath(file)
  try {
    // The server may have ended, and removed its file, only since it was read.
    if ((await readFile(file, 'utf8')) !== stale) return
    await rename(file, taken)
    if ((await readFile(taken, 'utf8')) !== stale) await link(taken, file)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await rm(taken, { force: true })
  }
}
