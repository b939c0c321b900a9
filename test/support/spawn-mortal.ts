import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { TestArchive } from './archive'
import type { MortalOrder, MortalReport } from './mortal'

/** Runs `mortal.ts` as a process of its own. */
export interface Mortal {
  /** @returns what it said, once it has ended: `died` if it killed itself at the point ordered */
  run(archive: Pick<TestArchive, 'url' | 'simulator'>, order: Omit<MortalOrder, 'roomId'> & { roomId: bigint }): Promise<MortalReport>
  remove(): Promise<void>
}

export async function bundleMortal(): Promise<Mortal> {
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-mortal-'))
  const bundle = join(directory, 'mortal.cjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'mortal.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['pg-native', 'cloudflare:sockets'],
    logLevel: 'error',
  })
  return {
    run: ({ url, simulator: { endpoint, credentials } }, { roomId, ...order }) =>
      live(bundle, {
        DATABASE_URL: url,
        LCIC_ENDPOINT: endpoint,
        LCIC_REQUESTS_PER_SECOND: '100000',
        TENCENTCLOUD_SECRET_ID: credentials.secretId,
        TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
        MORTAL: JSON.stringify({ ...order, roomId: String(roomId) }),
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

async function live(bundle: string, environment: NodeJS.ProcessEnv): Promise<MortalReport> {
  const child = spawn(process.execPath, [bundle], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const said: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    // Only then is its process id free, and its death known to others.
    child.once('close', (...end) => resolve(end))
  })
  const report: MortalReport = JSON.parse(Buffer.concat(said).toString() || '{"points":0}')
  if (signal !== (report.died ? 'SIGKILL' : null) || (!report.died && code !== 0)) {
    throw new Error(`The process ended with ${signal ?? code} after ${report.points} points.`)
  }
  return report
}
