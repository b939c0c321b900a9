import { chmod, mkdir, stat } from 'node:fs/promises'
import { EmbeddedDatabaseError, undefinedIfAbsent } from './errors'
import { type ProgramUser, runProgram } from './run-program'

/** The name that PostgreSQL's own packages use; macOS has the second. */
const userNames = ['postgres', '_postgres']

/**
 * Whom PostgreSQL has to run as: it refuses to run as root. Then it runs as the owner of its data, and new data belong
 * to the system user `postgres`, which is created if need be.
 *
 * @param dataDirectory - if there is one already
 * @returns `undefined`: as ourselves
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_USER`
 */
export async function findServerUser(dataDirectory?: string, signal?: AbortSignal): Promise<ProgramUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = dataDirectory ? await stat(dataDirectory).catch(undefinedIfAbsent) : undefined
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  return (await findSystemUser(signal)) ?? (await createSystemUser('postgres', signal))
}

/** Whether this user can enter the directory. Tried, because mode bits do not tell of ACLs, mounts and namespaces. */
export async function canEnter(user: ProgramUser, directory: string, signal?: AbortSignal): Promise<boolean> {
  return (await runProgram('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { user, signal })).succeeded
}

/** A directory of root's where this user can reach what is his. */
export async function makeHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true })
  // Whatever the umask was.
  await chmod(home, 0o755)
}

async function findSystemUser(signal: AbortSignal | undefined): Promise<ProgramUser | undefined> {
  for (const name of userNames) {
    const [uid, gid] = await Promise.all([
      runProgram('id', ['-u', name], { signal }),
      runProgram('id', ['-g', name], { signal }),
    ])
    if (uid.succeeded && gid.succeeded) return { uid: Number(uid.output), gid: Number(gid.output) }
  }
  return undefined
}

/**
 * useradd looks whether there is such a user before it locks the list: two at once would both add one, with different
 * ids, and only the second stays. So it is locked here, on the directory of that list.
 */
const createUser = `
  if command -v flock > /dev/null; then exec 9< /etc && flock 9; fi
  id -u "$1" > /dev/null 2>&1 && exit
  groupadd --system --force "$1"
  useradd --system --gid "$1" --no-create-home --home-dir /nonexistent --shell /bin/false "$1"`

async function createSystemUser(name: string, signal: AbortSignal | undefined): Promise<ProgramUser> {
  const { output } = await runProgram('/bin/sh', ['-c', createUser, 'sh', name], { signal })
  const created = await findSystemUser(signal)
  if (created) return created
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_USER',
    `PostgreSQL does not run as root, and the system user ${name} to run it as could not be created: ${output.trim() || 'useradd failed'}\n` +
      'Run this as an ordinary user, create that user, or set DATABASE_URL to another PostgreSQL.',
  )
}
