import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../errors'

/**
 * Writes a file that is there whole or not at all: what was there before stays until then.
 *
 * @throws {UsageError} `E_OUT`
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = join(dirname(path), `.${randomUUID()}.part`)
  try {
    await writeFile(part, text, { flag: 'wx' })
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    const reason = error instanceof Error ? error.message.replace(/ '.*$/, '') : String(error)
    throw new UsageError('E_OUT', `${path} cannot be written: ${reason}. Give another file with --out.`, {
      cause: error,
    })
  }
}
