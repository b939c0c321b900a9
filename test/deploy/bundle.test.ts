import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Artifact, bundleFunction, functionBundleOptions, zipOf } from '../../lib/deploy/bundle'

const checkout = join(import.meta.dirname, '..', '..')
const functions = ['archive-rooms', 'migrate', 'room-ended', 'sweep-rooms']
let place: string
let bundles: Map<string, Artifact>

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'lcic-archive-bundle-'))
  bundles = new Map(
    await Promise.all(
      functions.map(async (file): Promise<[string, Artifact]> => [file, await bundleFunction(checkout, file)]),
    ),
  )
})

afterAll(() => rm(place, { recursive: true }))

test('packaging elsewhere, in another time zone, gives the same zips byte by byte, none of which names a place', async () => {
  const copy = join(place, 'a copy', 'elsewhere')
  await mkdir(copy, { recursive: true })
  await Promise.all((await inputs()).map((path) => cp(join(checkout, path), join(copy, path))))
  const { TZ } = process.env
  process.env.TZ = 'Asia/Shanghai'
  const there = await Promise.all(functions.map((file) => bundleFunction(copy, file)))
  if (TZ === undefined) delete process.env.TZ
  else process.env.TZ = TZ
  const here = [...bundles.values()]
  expect(there.map(({ sha256 }) => sha256)).toEqual(here.map(({ sha256 }) => sha256))
  expect(here.filter(({ code }) => code.includes(checkout))).toEqual([])
})

test('each function is one file that is loaded in a folder without node_modules', async () => {
  const load = async ([file, { zip }]: [string, Artifact]) => {
    const files = unzipSync(zip)
    expect(Object.keys(files)).toEqual([`${file}.js`])
    await writeFile(join(place, `${file}.js`), files[`${file}.js`] ?? '')
    const script = `console.log(typeof require('./${file}.js').main_handler)`
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: place, env: {} })
    return { stdout: stdout.trim(), stderr }
  }
  expect(await Promise.all([...bundles].map(load))).toEqual(functions.map(() => ({ stdout: 'function', stderr: '' })))
})

test('a zip that SCF would not take is refused', () => {
  const noise = randomBytes(60 * 1024).toString('hex')
  expect(() => zipOf('big.js', noise, 50 * 1024)).toThrow(
    /The zip of big.js has 0\.0\d MB, and SCF takes 0\.05 MB at most/,
  )
})

test('what cannot be bundled is told with the file and the reason', async () => {
  await expect(bundleFunction(checkout, 'no-such-function')).rejects.toThrow(
    /functions\/no-such-function\.ts cannot be bundled: .*Could not resolve/s,
  )
})

test('serverless.yml names every function there is', async () => {
  const text = await readFile(join(checkout, 'serverless.yml'), 'utf8')
  for (const file of functions) expect(text).toContain(`handler: ${file}.main_handler`)
})

/** Every file that a bundle is made of, and what says how to read it. */
async function inputs(): Promise<string[]> {
  const entryPoints = functions.map((file) => `functions/${file}.ts`)
  const options = {
    ...functionBundleOptions,
    absWorkingDir: checkout,
    entryPoints,
    metafile: true,
    write: false,
  } as const
  const { metafile } = await build({ ...options, outdir: 'out' })
  const files = Object.keys(metafile.inputs).filter((path) => existsSync(join(checkout, path)))
  const manifests = files.flatMap(manifestsAbove).filter((path) => existsSync(join(checkout, path)))
  return [...new Set([...files, ...manifests, 'tsconfig.json'])]
}

/** Folders within packages have a package.json, too, that says which kind of modules they hold. */
function manifestsAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return [...parts.keys(), parts.length].map((depth) => [...parts.slice(0, depth), 'package.json'].join('/'))
}
