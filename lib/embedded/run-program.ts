import { execFile } from 'node:child_process'
import { codeOf } from './errors'

/** The user a program runs as, where it is not the one this process has. */
export interface ProgramUser {
  readonly uid: number
  readonly gid: number
}

export interface ProgramOutcome {
  readonly succeeded: boolean
  /** Set if the program could not even be started, such as `EACCES`. */
  readonly startError?: string
  /** All that it wrote, or why it could not be started. */
  readonly output: string
}

/**
 * What the programs see of our environment: nothing. `PGDATA`, `PGPORT`, `LC_ALL` or `LD_LIBRARY_PATH` of the user are
 * meant for other servers. The time zone is given because initdb searches long for it otherwise.
 */
export const programEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' }

/** Where the programs run: the only directory that every user can surely enter. */
export const programDirectory = '/'

/**
 * Runs a program to its end. A program that fails is an outcome.
 *
 * @throws the signal's reason when it is aborted.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  { user, signal }: { readonly user?: ProgramUser | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<ProgramOutcome> {
  signal?.throwIfAborted()
  const outcome = await new Promise<ProgramOutcome>((resolve) => {
    const options = { ...user, cwd: programDirectory, env: programEnvironment }
    const startFailed = (error: unknown) =>
      resolve({ succeeded: false, startError: codeOf(error) ?? 'unknown', output: String(error) })
    try {
      const child = execFile(file, args, options, (error, stdout, stderr) => {
        signal?.removeEventListener('abort', kill)
        if (error && typeof error.code === 'string') startFailed(error)
        else resolve({ succeeded: !error, output: `${stdout}${stderr}` })
      })
      const kill = () => child.kill('SIGKILL')
      signal?.addEventListener('abort', kill)
    } catch (error) {
      // Node throws some errors of the start at once, such as EINVAL for a user id that this container does not have.
      startFailed(error)
    }
  })
  signal?.throwIfAborted()
  return outcome
}
