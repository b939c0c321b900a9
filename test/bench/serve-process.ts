import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Simulator } from '../../lib/simulator'

/** `lcic-archive serve`, as it is built. */
export interface ServeProcess {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  /** CPU seconds it has used, and the memory it has, as its own metrics say. */
  cost(): Promise<{ readonly cpuSeconds: number; readonly rssBytes: number }>
  stop(): Promise<void>
}

export const callbackKey = 'key of the benchmark'

export async function startServe({
  databaseUrl,
  simulator: { endpoint, credentials, school },
  sweeps,
}: {
  databaseUrl: string
  simulator: Simulator
  sweeps: boolean
}): Promise<ServeProcess> {
  const args = ['serve', '--port', '0', ...(sweeps ? [] : ['--sweep-every', '0'])]
  const child = spawn(process.execPath, [join(process.cwd(), 'dist', 'lcic-archive.cjs'), ...args], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      LCIC_ENDPOINT: endpoint,
      LCIC_SDK_APP_IDS: String(school.sdkAppId),
      LCIC_CALLBACK_KEY: callbackKey,
      TENCENTCLOUD_SECRET_ID: credentials.secretId,
      TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  // It logs as it does by default, and somebody reads that; errors are shown.
  let unended = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (unended + text).split('\n')
    unended = lines.pop() ?? ''
    for (const line of lines) if (/"level":(50|60)|^lcic-archive:/.test(line)) process.stderr.write(`${line}\n`)
  })
  const [said] = await Promise.race([once(child.stdout, 'data'), ended])
  const url = /^Listening on (\S+);/.exec(String(said))?.[1]
  if (!url) throw new Error(`serve did not start: ${said}`)
  return {
    url,
    async cost() {
      const text = await (await fetch(`${url}/metrics`)).text()
      const figure = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
      return {
        cpuSeconds: figure('process_cpu_seconds_total'),
        rssBytes: figure('process_resident_memory_bytes'),
      }
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
