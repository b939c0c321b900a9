import { chmod, cp, lstat, mkdir, open, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { codeOf, EmbeddedDatabaseError, undefinedIfAbsent } from './errors'
import type { BinariesPackage } from './find-package'
import { type ProgramUser, runProgram } from './run-program'
import { makeHome } from './system-user'
import { publish, temporaryPath } from './temporary'

/** The programs, ready to run. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * Makes the programs of a package usable by `user`: where they are if possible, else in a copy.
 *
 * `npm --ignore-scripts` leaves the libraries' links unmade and may lose x bits; a package installed by root cannot be
 * mended by others; one below `/root` cannot be reached by the user that PostgreSQL runs as.
 *
 * @param copies - where to put a copy, one directory a version
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_UNSUPPORTED` when they do not run at all
 */
export async function prepareBinaries({
  source,
  user,
  copies,
  onProgress,
  signal,
}: {
  readonly source: BinariesPackage
  readonly user: ProgramUser | undefined
  readonly copies: string
  readonly onProgress?: ((message: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}): Promise<Binaries> {
  const inPlace = programsIn(source.directory)
  const mended = await mend(source.directory)
  const trial = await runProgram(inPlace.postgres, ['--version'], { user, signal })
  // Without the links it may even run, with whatever libraries of those names the system has.
  if (mended && trial.succeeded) return inPlace

  // Only what another place can cure is worth a copy: a missing loader (ENOENT) is missing there too.
  if (!mended || (user && trial.startError !== 'ENOENT')) {
    if (user) await makeHome(copies)
    const copy = join(copies, `postgres-${source.version}`)
    await copyPackage(source.directory, copy, () => onProgress?.('copying PostgreSQL to where it can run (once)'))
    const copied = programsIn(copy)
    const secondTrial = await runProgram(copied.postgres, ['--version'], { user, signal })
    if (secondTrial.succeeded) return copied
    throw unusable(copied, secondTrial.output)
  }
  throw unusable(inPlace, trial.output)
}

function programsIn(packageDirectory: string): Binaries {
  const bin = join(packageDirectory, 'native', 'bin')
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
}

/**
 * Makes the links that the package's install script would have made, and the programs executable.
 *
 * @returns false where we may not.
 */
async function mend(packageDirectory: string): Promise<boolean> {
  try {
    for (const { source, target } of await readLinks(packageDirectory)) {
      const link = join(packageDirectory, target)
      if (await lstat(link).catch(undefinedIfAbsent)) continue
      await symlink(relative(dirname(target), source), link).catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
    }
    for (const program of Object.values(programsIn(packageDirectory))) {
      const { mode } = await stat(program)
      if ((mode & 0o111) !== 0o111) await chmod(program, (mode & 0o777) | 0o111)
    }
    return true
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

async function readLinks(packageDirectory: string): Promise<readonly { source: string; target: string }[]> {
  const text = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(undefinedIfAbsent)
  return text ? JSON.parse(text) : []
}

/** A copy is complete once it has its name: two at once each make one, and the first counts. */
async function copyPackage(from: string, to: string, onStart: () => void): Promise<void> {
  if (await stat(to).catch(undefinedIfAbsent)) return
  onStart()
  const made = temporaryPath(to)
  try {
    await mkdir(made)
    await cp(join(from, 'native'), join(made, 'native'), { recursive: true, verbatimSymlinks: true })
    await mend(made)
    await settle(made)
    await publish(made, to)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

/**
 * Makes a copy readable to the user it is for, whatever the umask was; and lasting, so that its name does not outlive its
 * content when the machine crashes.
 */
async function settle(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  const entries = (await readdir(directory, { recursive: true, withFileTypes: true })).values()
  // Several at a time: the disk writes their changes together.
  const settleSome = async () => {
    for (const entry of entries) if (!entry.isSymbolicLink()) await settleOne(join(entry.parentPath, entry.name))
  }
  await Promise.all(Array.from({ length: 16 }, settleSome))
}

async function settleOne(path: string): Promise<void> {
  const handle = await open(path)
  try {
    const { mode } = await handle.stat()
    await handle.chmod((mode & 0o777) | (mode & 0o100 ? 0o755 : 0o644))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unusable({ postgres }: Binaries, output: string): EmbeddedDatabaseError {
  return new EmbeddedDatabaseError(
    'E_EMBEDDED_UNSUPPORTED',
    `The embedded PostgreSQL does not run here: ${postgres}: ${output.trim()}\n` +
      'On Linux it needs the GNU C library (not Alpine) and a file system without noexec.' +
      ' Or set DATABASE_URL to another PostgreSQL.',
  )
}
