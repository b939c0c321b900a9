import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { type Artifact, bundleFunction } from '../../lib/deploy/bundle'
import type { InstanceForm, InstanceNews, InstanceOrder } from './platform-instance'

/** Runs functions as SCF does: each instance is a process with nothing around it but the bundle and its environment. */
export interface Platform {
  /** Makes an instance of functions/FILE.ts, and loads its bundle, which is what a deployment would upload. */
  start(file: string, options: InstanceOptions): Promise<Instance>
  /** Ends all instances, and removes the bundles. */
  close(): Promise<void>
}

export interface InstanceOptions {
  /** All that is in the instance's environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly memoryMb?: number
  /** What it takes for its process id. */
  readonly pid?: number
  /** Node's. */
  readonly flags?: readonly string[]
}

/** One instance. Between invocations it is frozen, as the platform freezes instances. */
export interface Instance {
  invoke(event: unknown, options?: InvokeOptions): Promise<Outcome>
  /** Ends it from one instant to the next, as the platform does. */
  kill(): Promise<void>
  /** How long it took to load the bundle. */
  readonly loadMs: number
  /** What it has written to its standard output and standard error. */
  output(): string
}

export interface InvokeOptions {
  /** The function's time-out: whoever has not come to rest by then is killed. */
  readonly timeLimitMs?: number
  readonly requestId?: string
  /** What is new in the environment, such as credentials; null takes away. */
  readonly environment?: Readonly<Record<string, string | null>>
  /** What happens when the event is there already, and the instance is still frozen. */
  readonly whileFrozen?: () => Promise<unknown>
}

export interface Outcome {
  readonly answer?: unknown
  /** What the function threw. */
  readonly error?: string
  /** The platform, or the test, ended it, or it ended by itself. */
  readonly died: boolean
  /** How long after the answer its event loop was empty; until then the platform bills, and keeps the answer back. */
  readonly idleAfterMs: number
  readonly durationMs: number
  readonly cpuMs: number
  readonly peakRssBytes: number
}

/**
 * @param directory the project's
 * @param onEnd told what an instance wrote, once it has ended, and its environment
 */
export async function startPlatform({
  directory,
  onEnd = () => undefined,
}: {
  directory: string
  onEnd?: (output: string, environment: Readonly<Record<string, string>>) => void
}): Promise<Platform> {
  const place = await mkdtemp(join(tmpdir(), 'lcic-archive-platform-'))
  const runtime = join(place, 'runtime.cjs')
  const runtimeBuilt = build({
    entryPoints: [join(directory, 'test', 'support', 'platform-instance.ts')],
    outfile: runtime,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  })
  const written = new Map<string, Promise<string>>()
  const instances: Pick<Instance, 'kill'>[] = []

  async function bundleOf(file: string): Promise<string> {
    const { file: name, code } = await builtFunction(directory, file)
    const path = join(place, basename(name))
    await writeFile(path, code)
    return path
  }

  return {
    async start(file, { environment, memoryMb = 128, pid, flags = [] }) {
      await runtimeBuilt
      const bundled = written.get(file) ?? bundleOf(file)
      written.set(file, bundled)
      const form: InstanceForm = { bundle: await bundled, functionName: `lcic-archive-test-${file}`, memoryMb, pid }
      const child = spawn(process.execPath, [...flags, runtime, JSON.stringify(form)], {
        cwd: place,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      })
      const { ready, ...instance } = followed(child, (output) => onEnd(output, environment))
      instances.push(instance)
      return { ...instance, loadMs: await ready }
    },
    async close() {
      await Promise.all(instances.map((instance) => instance.kill()))
      await rm(place, { recursive: true, force: true })
    },
  }
}

const built = new Map<string, Promise<Artifact>>()

/** Built once in a process: the code does not change during a run. */
function builtFunction(directory: string, file: string): Promise<Artifact> {
  const key = join(directory, file)
  const artifact = built.get(key) ?? bundleFunction(directory, file)
  built.set(key, artifact)
  return artifact
}

function followed(
  child: ChildProcess,
  onEnd: (output: string) => void,
): Omit<Instance, 'loadMs'> & { readonly ready: Promise<number> } {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close').then(() => onEnd(output))
  let hear: (news: InstanceNews | undefined) => void = () => undefined
  child.on('message', (news: InstanceNews) => hear(news))
  void ended.then(() => hear(undefined))

  const ready = new Promise<number>((resolve, reject) => {
    hear = (news) =>
      news?.type === 'ready' ? resolve(news.loadMs) : reject(new Error(`The function does not load: ${output}`))
  })

  function outcomeOf(order: InstanceOrder): Promise<Outcome> {
    return new Promise((resolve) => {
      const startedAt = performance.now()
      let said: Pick<Outcome, 'answer' | 'error'> = {}
      const timer = setTimeout(() => child.kill('SIGKILL'), order.timeLimitMs)
      const end = (outcome: Omit<Outcome, 'answer' | 'error'>) => {
        clearTimeout(timer)
        resolve({ ...said, ...outcome })
      }
      hear = (news) => {
        if (news?.type === 'answered') said = { answer: news.answer }
        if (news?.type === 'failed') said = { error: news.error }
        if (news?.type === 'idle') {
          child.kill('SIGSTOP')
          const { idleAfterMs, durationMs, cpuMs, peakRssBytes } = news
          end({ died: false, idleAfterMs, durationMs, cpuMs, peakRssBytes })
        }
        if (news) return
        const durationMs = performance.now() - startedAt
        end({ died: true, idleAfterMs: Number.POSITIVE_INFINITY, durationMs, cpuMs: 0, peakRssBytes: 0 })
      }
      child.kill('SIGCONT')
    })
  }

  return {
    ready,
    async invoke(event, { timeLimitMs = 30_000, requestId = randomUUID(), environment = {}, whileFrozen } = {}) {
      if (!child.connected) throw new Error('This instance has ended.')
      if (whileFrozen) child.kill('SIGSTOP')
      const order: InstanceOrder = { event, requestId, timeLimitMs, environment }
      child.send(order)
      await whileFrozen?.()
      return outcomeOf(order)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    output: () => output,
  }
}
