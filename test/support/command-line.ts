import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { collectLog, keepEnvironmentOutOfLogs } from './log-directory'

const checkout = join(import.meta.dirname, '..', '..')

/** The command line, built as `npm run build` builds it, and installed in a directory of its own. */
export interface CommandLine {
  /** Where commands run unless they are told another place: empty at first. */
  readonly directory: string
  /** Starts `lcic-archive` with these arguments. */
  start(args: readonly string[], options?: CommandOptions): RunningCommand
  /** Starts it and waits for its end. */
  run(args: readonly string[], options?: CommandOptions): Promise<EndedCommand>
  /** Runs a script of the shell in which `lcic-archive` is a command. */
  shell(script: string, options?: CommandOptions): Promise<EndedCommand>
  /** Ends what still runs, and removes everything. */
  remove(): Promise<void>
}

export interface CommandOptions {
  /** All that the command finds in its environment besides PATH and TMPDIR. */
  readonly env?: Readonly<Record<string, string>>
  readonly directory?: string
}

export interface EndedCommand {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCommand {
  readonly ended: Promise<EndedCommand>
  /** Waits until this is on stdout or stderr. */
  printed(text: RegExp): Promise<RegExpExecArray>
  signal(name: NodeJS.Signals): void
}

export async function installCommandLine(): Promise<CommandLine> {
  // If the run is killed, the next one removes it, and stops the PostgreSQL in its .data (see global-setup.ts).
  const place = join(tmpdir(), `lcic-archive-test-${process.pid}`)
  const bin = join(place, 'bin')
  // A file that failed before it could clean up is not to fail those that come after it in this process.
  await rm(place, { recursive: true, force: true })
  await mkdir(bin, { recursive: true })
  await chmod(place, 0o711)
  await copyProgram(join(place, 'dist'))
  await symlink(join(place, 'dist', bundle), join(bin, 'lcic-archive'))
  await chmod(join(bin, 'lcic-archive'), 0o755)
  await symlink(join(checkout, 'node_modules'), join(place, 'node_modules'))
  const running = new Set<ChildProcess>()
  const { PATH = '', TMPDIR } = process.env
  const path = [bin, dirname(process.execPath), PATH].join(delimiter)

  function startProgram(program: string, args: readonly string[], { env, directory = place }: CommandOptions = {}) {
    const child = spawn(program, args, {
      cwd: directory,
      env: { PATH: path, ...(TMPDIR && { TMPDIR }), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    child.once('close', () => {
      running.delete(child)
      keepEnvironmentOutOfLogs(env ?? {}, directory)
    })
    return followed(child)
  }

  const start: CommandLine['start'] = (args, options) => startProgram('lcic-archive', args, options)
  return {
    directory: place,
    start,
    run: (args, options) => start(args, options).ended,
    shell: (script, options) => startProgram('sh', ['-ec', script], options).ended,
    async remove() {
      await Promise.all([...running].map(end))
      await rm(place, { recursive: true, force: true })
    },
  }
}

const bundle = 'lcic-archive.cjs'
let built: Promise<string> | undefined

/** It is built once in a process: the code does not change during a run. */
async function copyProgram(directory: string): Promise<void> {
  built ??= build()
  const from = await built
  await mkdir(directory)
  for (const file of [bundle, `${bundle}.map`]) await copyFile(join(from, file), join(directory, file))
}

/** By the flags in package.json, whatever they are. @returns the directory, which goes with the run's logs */
async function build(): Promise<string> {
  const directory = await mkdtemp(join(inject('logDirectory'), 'built-'))
  const outfile = join(directory, bundle)
  const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8'))
  const [esbuild = '', ...flags] = String(scripts.build).split(' ')
  const args = flags.map((flag) => (flag.startsWith('--outfile=') ? `--outfile=${outfile}` : flag))
  await promisify(execFile)(join(checkout, 'node_modules', '.bin', esbuild), args, { cwd: checkout })
  return directory
}

/** What a failed test has left: asked to end, so that it stops its database; after a while made to. */
async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await once(child, 'close')
  clearTimeout(timer)
}

function followed(child: ChildProcess): RunningCommand {
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      child.emit('printed')
    })
  }
  const ended = new Promise<EndedCommand>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => {
      collectLog(output.stderr)
      resolve({ exitCode, ...output })
    })
  })
  return {
    ended,
    printed(text) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = text.exec(output.stdout) ?? text.exec(output.stderr)
          if (!found) return
          child.off('printed', look)
          resolve(found)
        }
        child.on('printed', look)
        child.once('close', () => reject(new Error(`It never printed ${text}: ${output.stdout}${output.stderr}`)))
        look()
      })
    },
    signal: (name) => child.kill(name),
  }
}
