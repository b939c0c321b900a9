import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import Table from 'cli-table3'
import { build } from 'esbuild'
import { bundleFunction, functionBundleOptions } from '../../lib/deploy/bundle'

/**
 * What it takes a new instance of archive-rooms to load its code: the bundle as it is shipped, beside an empty Node, a plain
 * bundle of the same code, the same code unbundled, and the whole SDK. Each run is a process of its own; runs alternate, so
 * that other work on the machine weighs on all of them alike.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '20' }, json: { type: 'boolean', default: false } },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  try {
    const programs = await buildPrograms(directory)
    const loads = new Map(programs.map(({ name }) => [name, [] as Load[]]))
    // The first run of each only warms the disk's cache.
    for (let run = 0; run <= Number(values.runs); run++) {
      for (const { name, path } of programs) {
        const load = await loadOnce(path)
        if (run > 0) loads.get(name)?.push(load)
      }
    }
    const rows = await summaries(loads)
    process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : `${tableOf(rows)}\n`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const checkout = join(__dirname, '..', '..', '..')
const FUNCTION = 'archive-rooms'
const EMPTY = 'empty Node'
const SHIPPED = 'the bundle as shipped'

async function buildPrograms(directory: string): Promise<{ name: string; path: string }[]> {
  const at = (...names: string[]) => join(directory, ...names)
  await writeFile(at('empty.js'), '')
  await writeFile(at('shipped.js'), (await bundleFunction(checkout, FUNCTION)).code)

  const { platform, target, format, external } = functionBundleOptions
  const plain = { absWorkingDir: checkout, platform, target, format } as const
  const entry = `functions/${FUNCTION}.ts`
  await build({ ...plain, bundle: true, external: [...external], entryPoints: [entry], outfile: at('plain.js') })

  await mkdir(at('unbundled'))
  await symlink(join(checkout, 'node_modules'), at('node_modules'))
  const files = ['functions', 'lib', 'migrations'].map(async (folder) => {
    const names = await readdir(join(checkout, folder), { recursive: true })
    return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
  })
  await build({ ...plain, entryPoints: (await Promise.all(files)).flat(), outdir: at('unbundled'), logLevel: 'error' })
  await writeFile(at('sdk.js'), "require('tencentcloud-sdk-nodejs')")
  return [
    { name: EMPTY, path: at('empty.js') },
    { name: SHIPPED, path: at('shipped.js') },
    { name: 'a plain bundle', path: at('plain.js') },
    { name: 'the same code unbundled', path: at('unbundled', 'functions', `${FUNCTION}.js`) },
    { name: 'the whole SDK', path: at('sdk.js') },
  ]
}

/** What one process tells once it has loaded a program. */
interface Load {
  /** Since the process began. */
  readonly ms: number
  readonly cpuMs: number
  readonly rssBytes: number
  /** Of all files that were loaded. */
  readonly files: readonly string[]
}

const probe = `
  require(process.argv[1])
  const ms = performance.now()
  const { user, system } = process.cpuUsage()
  const rssBytes = process.memoryUsage.rss()
  const load = { ms, cpuMs: (user + system) / 1000, rssBytes, files: Object.keys(require.cache) }
  process.stdout.write(JSON.stringify(load), () => process.exit())`

async function loadOnce(path: string): Promise<Load> {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--no-warnings', '-e', probe, path], { env: {}, maxBuffer: 2 ** 26 })
  return JSON.parse(stdout)
}

interface Summary {
  readonly name: string
  /** Medians; above an empty Node. */
  readonly overEmptyMs: number
  readonly cpuOverEmptyMs: number
  /** Of what the shipped bundle takes over an empty Node. */
  readonly ratio: number
  readonly rssMb: number
  readonly bytes: number
  readonly files: number
}

async function summaries(loads: ReadonlyMap<string, readonly Load[]>): Promise<Summary[]> {
  const rows: Summary[] = []
  const empty = loads.get(EMPTY) ?? []
  const emptyMs = median(empty, ({ ms }) => ms)
  const emptyCpuMs = median(empty, ({ cpuMs }) => cpuMs)
  const shippedMs = median(loads.get(SHIPPED) ?? [], ({ ms }) => ms) - emptyMs
  for (const [name, measured] of loads) {
    const overEmptyMs = median(measured, ({ ms }) => ms) - emptyMs
    const files = measured[0]?.files ?? []
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
    rows.push({
      name,
      overEmptyMs,
      cpuOverEmptyMs: median(measured, ({ cpuMs }) => cpuMs) - emptyCpuMs,
      ratio: overEmptyMs / shippedMs,
      rssMb: median(measured, ({ rssBytes }) => rssBytes) / 1024 / 1024,
      bytes: sizes.reduce((total, size) => total + size, 0),
      files: files.length,
    })
  }
  return rows
}

function median(loads: readonly Load[], of: (load: Load) => number): number {
  return loads.map(of).sort((a, b) => a - b)[loads.length >> 1] ?? Number.NaN
}

function tableOf(rows: readonly Summary[]): string {
  const table = new Table({
    head: ['', 'ms over empty', 'ratio', 'CPU ms over empty', 'RSS MB', 'KB', 'files'],
    style: { head: [] },
  })
  for (const { name, overEmptyMs, ratio, cpuOverEmptyMs, rssMb, bytes, files } of rows) {
    const kilobytes = Math.round(bytes / 1000).toLocaleString('en')
    table.push([
      name,
      overEmptyMs.toFixed(1),
      ratio.toFixed(2),
      cpuOverEmptyMs.toFixed(1),
      rssMb.toFixed(1),
      kilobytes,
      files,
    ])
  }
  return table.toString()
}

void main()
