import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleFunction } from '../../lib/deploy/bundle'

const checkout = join(import.meta.dirname, '..', '..')
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bundles-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

/** Runs a script in which `load(name)` loads a bundle, with nothing around it. */
async function run(script: string): Promise<unknown> {
  const load = `const load = (name) => require(${JSON.stringify(directory)} + '/' + name);`
  const print = 'process.stdout.write(JSON.stringify(answer))'
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', `${load}${script};${print}`], { env: {} })
  return JSON.parse(stdout)
}

describe.each(['room-ended', 'archive-rooms', 'sweep-rooms', 'migrate'])('the bundle of %s', (name) => {
  let code: string

  beforeAll(async () => {
    code = (await bundleFunction(checkout, name)).code
    await writeFile(join(directory, `${name}.js`), code)
  })

  test('loads without what functions never use: no tables of host names and mime types, nothing of undici', async () => {
    expect(code.length).toBeLessThan(1_000_000)
    const answer = await run(
      `const { main_handler } = load('${name}.js');` +
        `const answer = [typeof main_handler, process.moduleLoadList.filter((one) => one.includes('undici'))]`,
    )
    expect(answer).toEqual(['function', []])
  })

  test('has errors that are called as they are in the code', () => {
    const renamed = code.match(/\b[A-Z]\w*Error\d+ ?= ?class extends (Archive|Usage)Error\d*\{(?!static name=)/g)
    expect(renamed).toBeNull()
    expect(code).toMatch(/\bArchiveError ?= ?class extends Error/)
  })

  test('has no line that would fill a screen, where Node shows one', () => {
    const screens = code.split('\n').filter((line) => line.length > 10_000)
    expect(screens).toEqual([])
  })
})
