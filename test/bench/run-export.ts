import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Which archive is exported to where. */
export interface ExportTask {
  readonly url: string
  readonly out: string
}

/** What an export wrote and took. */
export interface ExportCost {
  readonly files: number
  readonly rows: number
  readonly bytes: number
  readonly wallMs: number
  readonly serverCpuMs: number
  /** Of the export. */
  readonly cpuMs: number
  readonly peakRssBytes: number
}

/** The command as people run it. */
export async function runExport({
  url,
  out,
  cpuMs,
}: ExportTask & { cpuMs: () => Promise<number> }): Promise<ExportCost> {
  const before = await cpuMs()
  const begin = performance.now()
  const child = startExport({ url, out })
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (data: string) => {
    text += data
  })
  const watched = watch(child)
  const [exitCode] = await once(child, 'close')
  const wallMs = performance.now() - begin
  if (exitCode !== 0) throw new Error(`The export ended with ${exitCode}.`)
  const { written }: { written: { rows: number; bytes: number }[] } = JSON.parse(text)
  return {
    files: written.length,
    rows: written.reduce((sum, { rows }) => sum + rows, 0),
    bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    wallMs,
    serverCpuMs: (await cpuMs()) - before,
    ...(await watched),
  }
}

export function startExport({ url, out }: ExportTask): ChildProcess {
  const program = join(__dirname, '..', '..', '..', 'dist', 'lcic-archive.cjs')
  return spawn(process.execPath, [program, 'export', '--out', out, '--json'], {
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** The most memory that the process ever had, and the CPU it used, as Linux counts them. */
async function watch(child: ChildProcess): Promise<{ peakRssBytes: number; cpuMs: number }> {
  let peakRssBytes = Number.NaN
  let cpuMs = Number.NaN
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(status) ?? []
    if (kilobytes) peakRssBytes = Number(kilobytes) * 1024
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '')
    const [, user, system] = /\) \w(?: -?\d+){10} (\d+) (\d+)/.exec(stat) ?? []
    // Hundredths of a second.
    if (user && system && kilobytes) cpuMs = (Number(user) + Number(system)) * 10
    await delay(50)
  }
  return { peakRssBytes, cpuMs }
}
