import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and those it lies in, where they are not there. Node's own `recursive` is no use for a path that
 * people give: on a file system that takes no directories, such as /proc, it tries for ever.
 *
 * @throws what the file system says
 */
export async function makeDirectory(path: string): Promise<void> {
  const directory = resolve(path)
  if (!existsSync(dirname(directory))) await makeDirectory(dirname(directory))
  try {
    await mkdir(directory)
  } catch (error) {
    const isThere = await stat(directory).then(
      (found) => found.isDirectory(),
      () => false,
    )
    if (!isThere) throw error
  }
}
