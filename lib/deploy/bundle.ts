import { createHash } from 'node:crypto'
import { type BuildOptions, build } from 'esbuild'
import { strToU8, zipSync } from 'fflate'
import { DeployError } from './errors'
import { withoutUnused } from './left-out'

/** How a function is bundled; the entry points and the place of the project come on top. */
export const functionBundleOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // Optional parts of pg, which are never used here.
  external: ['pg-native', 'cloudflare:sockets'],
  minifyWhitespace: true,
  minifySyntax: true,
  // Names stay, for logs and stacks: shorter ones would load no faster, and `keepNames` would cost each start 6 ms.
  minifyIdentifiers: false,
  // What Node quotes of the code, above the stack of an error that nobody caught, is a line.
  lineLimit: 200,
  legalComments: 'none',
  logLevel: 'silent',
  ...withoutUnused,
} as const satisfies BuildOptions

/** The most that UpdateFunctionCode takes; CreateFunction would take 50 MB, but what cannot be updated is no use. */
export const MOST_ZIP_BYTES = 20 * 1024 * 1024

/** A function's code as it is uploaded. */
export interface Artifact {
  /** The file in the zip's root, such as `archive-rooms.js`. */
  readonly file: string
  readonly code: string
  readonly zip: Uint8Array
  /** Lower-case hex, of the zip. */
  readonly sha256: string
}

/**
 * Bundles functions/FILE.ts into one file and zips it. The same sources give the same bytes, wherever the project lies.
 *
 * @param directory the project's
 * @param file without extension
 * @throws {DeployError} `E_BUNDLE` with what esbuild says, `E_ZIP_SIZE`
 */
export async function bundleFunction(directory: string, file: string): Promise<Artifact> {
  const code = await bundled(directory, file)
  return { file: `${file}.js`, code, ...zipOf(`${file}.js`, code) }
}

async function bundled(directory: string, file: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      ...functionBundleOptions,
      absWorkingDir: directory,
      entryPoints: [`functions/${file}.ts`],
      write: false,
    })
    return outputFiles[0]?.text ?? ''
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DeployError('E_BUNDLE', `functions/${file}.ts cannot be bundled: ${reason}`, { cause: error })
  }
}

/** A zip of one file with fixed time, attributes and level. @throws {DeployError} `E_ZIP_SIZE` */
export function zipOf(file: string, content: string, mostBytes = MOST_ZIP_BYTES): { zip: Uint8Array; sha256: string } {
  // Local time, because that is what zips hold: so it is the same in every time zone.
  const mtime = new Date(1980, 0, 1)
  const zip = zipSync({ [file]: [strToU8(content), { mtime, os: 3, attrs: 0o644 << 16, level: 9 }] })
  if (zip.byteLength > mostBytes) {
    const megabytes = (bytes: number) => `${Number((bytes / 1024 / 1024).toFixed(2))} MB`
    throw new DeployError(
      'E_ZIP_SIZE',
      `The zip of ${file} has ${megabytes(zip.byteLength)}, and SCF takes ${megabytes(mostBytes)} at most: find what it drags in with esbuild --analyze.`,
    )
  }
  return { zip, sha256: createHash('sha256').update(zip).digest('hex') }
}
