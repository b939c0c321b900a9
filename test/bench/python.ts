import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * A Python with what `dlt/requirements.txt` names, in an environment of its own that is made at the first call.
 *
 * @returns its path, or why there is none
 */
export async function pythonWithDlt(): Promise<{ path: string } | { missing: string }> {
  const requirements = join(process.cwd(), 'test', 'bench', 'dlt', 'requirements.txt')
  const environment = join(process.cwd(), 'node_modules', '.cache', 'bench', 'dlt')
  const path = join(environment, 'bin', 'python')
  try {
    if (!(await isThere(path))) await run('python3', ['-m', 'venv', environment])
    await run(path, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements], { timeout: 300_000 })
    return { path }
  } catch (error) {
    return { missing: error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error) }
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
