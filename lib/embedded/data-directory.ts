import { createHash, randomBytes } from 'node:crypto'
import { chown, mkdir, open, readdir, readFile, readlink, realpath, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Binaries } from './binaries'
import { codeOf, EmbeddedDatabaseError, undefinedIfAbsent } from './errors'
import type { BinariesPackage } from './find-package'
import { agreeOnPassword, roleName } from './password'
import { type ProgramUser, runProgram } from './run-program'
import { canEnter, makeHome } from './system-user'
import { publish, temporaryPath } from './temporary'

/** Where the data are kept, or a link to where they are. */
export function dataDirectoryIn(directory: string): string {
  return join(directory, 'postgres')
}

/**
 * The data directory, if it has been made: it gets its name only when it is complete.
 *
 * @returns its real path
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_VERSION`, `E_EMBEDDED_DIRECTORY`
 */
export async function findDataDirectory(directory: string, needed: BinariesPackage): Promise<string | undefined> {
  const named = dataDirectoryIn(directory)
  const dataDirectory = await realpath(named).catch(undefinedIfAbsent)
  if (!dataDirectory) return undefined
  const version = (await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8').catch(undefinedIfAbsent))?.trim()
  if (version === needed.majorVersion) return dataDirectory
  if (version) {
    throw new EmbeddedDatabaseError(
      'E_EMBEDDED_VERSION',
      `The database in ${named} was made by PostgreSQL ${version}, and this is PostgreSQL ${needed.majorVersion}.` +
        ` Move ${named} away to begin anew, or use the release that has PostgreSQL ${version}.`,
    )
  }
  if ((await readdir(dataDirectory)).length === 0) return undefined
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_DIRECTORY',
    `${named} is in the way: it is not a PostgreSQL data directory. Move it away.`,
  )
}

export interface CreateDataDirectoryOptions {
  readonly directory: string
  readonly binaries: Binaries
  readonly user: ProgramUser | undefined
  /** Where the data go if `user` cannot enter `directory`. */
  readonly home: string
  /** Whether the data must outlive a crash of the machine. */
  readonly durable: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes the data directory beside its place, and moves it there. Two at once both do, and the second deletes its own.
 *
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_INIT`
 */
export async function createDataDirectory(options: CreateDataDirectoryOptions): Promise<void> {
  const { directory, user, home, signal } = options
  const named = dataDirectoryIn(directory)
  const linked = await readlink(named).catch((error) => {
    if (!['ENOENT', 'EINVAL'].includes(codeOf(error) ?? '')) throw error
  })
  if (linked) {
    // What it points to is gone, or was never finished.
    const target = resolve(directory, linked)
    if (user) await makeHome(dirname(target))
    return initialiseAt(target, options)
  }
  if (!user || (await canOwn(user, named, signal))) return initialiseAt(named, options)
  return initialiseAt(await linkToHome(named, home), options)
}

/** Whether this user can have a directory there and work in it. */
async function canOwn(user: ProgramUser, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  const probe = temporaryPath(path)
  try {
    await mkdir(probe, { mode: 0o700 })
    await chown(probe, user.uid, user.gid)
    return await canEnter(user, probe, signal)
  } catch (error) {
    // Some mounts have no owners to change.
    if (['EPERM', 'EINVAL', 'ENOTSUP'].includes(codeOf(error) ?? '')) return false
    throw error
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}

/**
 * Makes `named` a link into `home`. Its target is new each time: what a deleted directory of the same path left there is
 * not taken for ours, nor deleted. The link comes before the data, so two at once agree on the target.
 */
async function linkToHome(named: string, home: string): Promise<string> {
  await makeHome(home)
  const hash = createHash('sha256').update(named).digest('hex').slice(0, 12)
  const target = join(home, `${hash}-${randomBytes(4).toString('hex')}`)
  await symlink(target, named).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  return readlink(named)
}

async function initialiseAt(
  path: string,
  { directory, binaries, user, durable, signal }: CreateDataDirectoryOptions,
): Promise<void> {
  const password = await agreeOnPassword(directory)
  const workplace = temporaryPath(path)
  const made = join(workplace, basename(path))
  const secret = join(workplace, 'password')
  try {
    await mkdir(workplace, { mode: 0o700 })
    await writeSecret(secret, password)
    if (user) for (const ours of [secret, workplace]) await chown(ours, user.uid, user.gid)
    const { succeeded, output } = await runProgram(
      binaries.initdb,
      [
        `--pgdata=${made}`,
        `--username=${roleName}`,
        `--pwfile=${secret}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        ...(durable ? [] : ['--no-sync']),
      ],
      { user, signal },
    )
    if (!succeeded) {
      throw new EmbeddedDatabaseError(
        'E_EMBEDDED_INIT',
        `The database could not be created in ${path}:\n${output.trim().split('\n').slice(-8).join('\n')}`,
      )
    }
    await publish(made, path)
  } finally {
    await rm(workplace, { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * Makes an existing data directory usable by `user` again, where root copied it (then it is root's).
 *
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_DIRECTORY` if the user cannot get there
 */
export async function handOver(dataDirectory: string, user: ProgramUser, signal?: AbortSignal): Promise<void> {
  if ((await stat(dataDirectory)).uid === 0) {
    await runProgram('chown', ['-R', `${user.uid}:${user.gid}`, dataDirectory], { signal })
  }
  if (await canEnter(user, dataDirectory, signal)) return
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_DIRECTORY',
    `PostgreSQL does not run as root, and user ${user.uid}, to whom the data in ${dataDirectory} belong, cannot reach` +
      ' them. Let that user enter the directories above, or move the data away to begin anew.',
  )
}

async function writeSecret(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
  } finally {
    await handle.close()
  }
}
