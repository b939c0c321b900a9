import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

export interface Program {
  /** The built command line. */
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  /** All that it prints goes there. */
  readonly logFile: string
}

export interface StartedProcess {
  readonly pid: number
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>
}

/** V8 collects garbage before it takes more memory, as the README says for machines that have little. */
const smallHeap = ['--max-semi-space-size=2', '--max-old-space-size=128']

/** It is preloaded as it is, and not bundled. */
const shiftedClock = join(process.cwd(), 'test', 'torture', 'shifted-clock.cjs')

/** All that was started and still runs: whatever happens to this process, they end with it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the command line with little memory, and a clock that may be wrong. */
export function startProcess({ program, args, env, directory, logFile }: Program): StartedProcess {
  const log = openSync(logFile, 'w')
  const child = spawn(process.execPath, [...smallHeap, '--require', shiftedClock, program, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  running.add(child)
  return {
    pid: child.pid ?? 0,
    signal: (name) => child.kill(name),
    ended: new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode, signal) => {
        running.delete(child)
        resolve({ exitCode, signal })
      })
    }),
  }
}
