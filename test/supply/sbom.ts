import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What is looked at here of package.json, which package-lock.json repeats. */
interface Project {
  readonly name: string
  readonly devDependencies?: object
}

/** What is looked at here of a CycloneDX document. */
interface Bom {
  components: { readonly 'bom-ref': string }[]
  dependencies: { readonly ref: string }[]
}

/**
 * The SBOM of what is shipped, for all platforms: of the project as it would be if it had no tools and no tests.
 *
 * `npm sbom --omit dev` would also omit what is shipped and needed by a tool besides, such as pg (https://github.com/npm/cli/issues/7909).
 */
function shippedBom(): Bom {
  const directory = mkdtempSync(join(tmpdir(), 'lcic-archive-sbom-'))
  try {
    const { devDependencies: _, ...project } = readJson<Project>('package.json')
    const { packages, ...lock } = readJson<{ packages: { '': Project } }>('package-lock.json')
    const { devDependencies: __, ...root } = packages['']
    // npm names a project after its directory.
    const place = join(directory, project.name)
    mkdirSync(place)
    writeFileSync(join(place, 'package.json'), JSON.stringify(project))
    writeFileSync(join(place, 'package-lock.json'), JSON.stringify({ ...lock, packages: { ...packages, '': root } }))
    const flags = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only', '--include=optional']
    const text = execFileSync('npm', ['sbom', ...flags], { cwd: place, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    const bom = JSON.parse(text) as Bom
    // npm 10 lists a package that lies in two places twice, which CycloneDX forbids.
    bom.components = firstOfEach(bom.components, (component) => component['bom-ref'])
    bom.dependencies = firstOfEach(bom.dependencies, ({ ref }) => ref)
    return bom
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}

function firstOfEach<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const seen = new Set<string>()
  return items.filter((item) => !seen.has(keyOf(item)) && seen.add(keyOf(item)))
}

process.stdout.write(`${JSON.stringify(shippedBom(), null, 2)}\n`)
