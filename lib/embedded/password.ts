import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, EmbeddedDatabaseError, undefinedIfAbsent } from './errors'
import { temporaryPath } from './temporary'

/** The superuser, and the database that is his. */
export const roleName = 'lcic'

/** Where the password is: a libpq password file, so that psql can use it too. */
export function passwordFile(directory: string): string {
  return join(directory, 'pgpass')
}

/**
 * The password of the data that are there.
 *
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_PASSWORD`
 */
export async function readPassword(directory: string): Promise<string> {
  const file = passwordFile(directory)
  const text = await readFile(file, 'utf8').catch(undefinedIfAbsent)
  const password = text && /^127\.0\.0\.1:\*:\*:[^:]+:([\w-]+)$/m.exec(text)?.[1]
  if (password) return password
  throw new EmbeddedDatabaseError(
    'E_EMBEDDED_PASSWORD',
    `${file} does not hold the password of the database beside it.` +
      ` Restore that file, or, to begin anew, move ${join(directory, 'postgres')} away.`,
  )
}

/** The password for data to be made: the one that is there, else a new one. Two at once get the same. */
export async function agreeOnPassword(directory: string): Promise<string> {
  const file = passwordFile(directory)
  const made = temporaryPath(file)
  try {
    const handle = await open(made, 'wx', 0o600)
    try {
      await handle.writeFile(`127.0.0.1:*:*:${roleName}:${randomBytes(24).toString('base64url')}\n`)
      // Data whose password is lost in a crash are lost too.
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(made, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(made, { force: true })
  }
  return readPassword(directory)
}
