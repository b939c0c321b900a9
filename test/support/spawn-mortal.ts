import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { functionBundleOptions } from '../../lib/deploy/bundle'
import type { TestArchive } from './archive'
import { logFile } from './log-directory'
import type { MortalOrder, MortalReport } from './mortal'

/** Processes that archive or replay one room, and kill themselves where they are told to. */
export interface Mortals {
  /** Runs one. @returns what it said, once the system knows that it is dead */
  run(order: Omit<MortalOrder, 'roomId' | 'logFile'> & { readonly roomId: bigint }): Promise<MortalReport>
  remove(): Promise<void>
}

/** Bundles `mortal.ts`, for work on this database and this simulator. */
export async function createMortals({ url, simulator }: Pick<TestArchive, 'url' | 'simulator'>): Promise<Mortals> {
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-mortal-'))
  const bundle = join(directory, 'mortal.cjs')
  await build({ ...functionBundleOptions, entryPoints: [join(import.meta.dirname, 'mortal.ts')], outfile: bundle })
  const environment = {
    DATABASE_URL: url,
    LCIC_ENDPOINT: simulator.endpoint,
    LCIC_REQUESTS_PER_SECOND: '100000',
    TENCENTCLOUD_SECRET_ID: simulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: simulator.credentials.secretKey,
  }
  return {
    async run(order) {
      const MORTAL = JSON.stringify({
        ...order,
        roomId: String(order.roomId),
        logFile: logFile(),
      } satisfies MortalOrder)
      const { status, signal, said } = await live(bundle, { ...environment, MORTAL })
      const report: MortalReport = JSON.parse(said || '{}')
      if (signal === 'SIGKILL' ? !report.died : status !== 0) {
        throw new Error(`A mortal process ended with ${signal ?? status}, which nobody ordered.`)
      }
      return report
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

function live(
  bundle: string,
  env: NodeJS.ProcessEnv,
): Promise<{ status: number | null; signal: NodeJS.Signals | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...forShortLives, bundle], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk
    })
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, said }))
  })
}

/** Threads that optimise code, and small heaps that are collected often, pay in long lives only: a quarter less work. */
const forShortLives = ['--single-threaded', '--max-semi-space-size=64']
