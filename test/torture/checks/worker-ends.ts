import { ExitCode } from '../../../lib/cli/exit-code'
import type { ProcessEnd } from '../worker'
import type { Violation } from './violation'

/** What a log says only where something went wrong that nobody had thought of. */
const unexpected =
  /unexpected error|attempt failed|a request failed|UnhandledPromise|unhandledRejection|uncaughtException|FATAL ERROR|heap out of memory/

/** A stack that is not part of a log line: Node's own way to end. */
const stack = /^\s+at .+:\d+:\d+\)?$/m

/** Whether a process ended as is documented; and what its log tells of something unexpected. */
export function judgeEnd({ name, pid, exitCode, signal, wasKilled, wasTold }: ProcessEnd, log: string): Violation[] {
  const problems: string[] = []
  const line = log.split('\n').find((text) => unexpected.test(text))
  if (line !== undefined) problems.push(`logged: ${line.slice(0, 400)}`)
  const [trace] = stack.exec(log) ?? []
  if (trace !== undefined) problems.push(`left a stack: ${trace.trim()}`)
  const isOurs = (wasKilled && signal === 'SIGKILL') || (wasTold && isStopped(exitCode, signal))
  if (!isOurs && !isDocumented(exitCode, log)) {
    const last = log.trim().split('\n').at(-1)?.slice(0, 400)
    problems.push(`ended by itself with ${signal ?? `exit code ${exitCode}`}: ${last}`)
  }
  return problems.map((problem) => ({ check: 'worker ended', what: `${name} (${pid}) ${problem}` }))
}

/** As told, with its rooms given back; one that is told before it listens to signals is ended by them. */
function isStopped(exitCode: number | null, signal: NodeJS.Signals | null): boolean {
  return exitCode === ExitCode.done || signal === 'SIGTERM'
}

/** An end that the product promises for what was done to it, and says so. */
function isDocumented(exitCode: number | null, log: string): boolean {
  // The database was away at its start.
  if (exitCode === ExitCode.unreachable) return /\[E_DATABASE_UNREACHABLE\]/.test(log)
  // Its clock was off by more than LCIC takes.
  if (exitCode === ExitCode.usage) return /\[AuthFailure\.SignatureExpire\]/.test(log)
  return false
}
