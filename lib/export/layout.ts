import { createHash } from 'node:crypto'
import { readdir, rm, rmdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { Parquet } from './parquet'

/** Hive's own name of the partition of what has no value. */
const NO_MONTH = '__HIVE_DEFAULT_PARTITION__'
const PART = 'part-0.parquet'
/** Whoever writes a file adds to it every few seconds. */
const ABANDONED_AFTER_MS = 3_600_000
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

/** The key of a file's metadata that says what it was made from. */
export const FINGERPRINT = 'lcic_archive.fingerprint'

/** Where the file of a month (`YYYY-MM`; null: rooms without a start) of a table is, seen from the directory of exports. */
export function partPath(table: string, month: string | null): string {
  return join(table, `month=${month ?? NO_MONTH}`, PART)
}

/** A name of a file in the making: neither `*.parquet` nor Hive, who passes over what begins with a dot, finds it. */
export function temporaryName(unique: string): string {
  return `.${PART}.${host}.${process.pid}.${unique}.tmp`
}

/** The months of a table that there are files of, each with its fingerprint; none, if the file cannot be read. */
export async function readParts(
  directory: string,
  table: string,
  parquet: Parquet,
): Promise<Map<string | null, string | undefined>> {
  const parts = new Map<string | null, string | undefined>()
  for (const month of await monthsIn(join(directory, table))) {
    const path = join(directory, partPath(table, month))
    if (!(await stat(path).catch(() => undefined))) continue
    const footer = await parquet
      .asyncBufferFromFile(path)
      .then((file) => parquet.parquetMetadataAsync(file))
      .catch(() => undefined)
    parts.set(month, footer?.key_value_metadata?.find(({ key }) => key === FINGERPRINT)?.value)
  }
  return parts
}

/** Removes the file of a month, and its folder, if nothing else is in there. */
export async function removePart(path: string): Promise<void> {
  await rm(path, { force: true })
  await rmdir(dirname(path)).catch(() => undefined)
}

/** Removes what killed runs have left; what others are writing at the moment stays. */
export async function removeLeftOvers(directory: string, table: string, nowMs: number): Promise<void> {
  for (const month of await monthsIn(join(directory, table))) {
    const folder = dirname(join(directory, partPath(table, month)))
    for (const name of await readdir(folder)) {
      const [, writtenOn, pid] = /^\.part-0\.parquet\.([0-9a-f]{8})\.(\d+)\.[^.]+\.tmp$/.exec(name) ?? []
      if (!pid) continue
      const path = join(folder, name)
      const { mtimeMs = 0 } = (await stat(path).catch(() => undefined)) ?? {}
      const isAbandoned = nowMs - mtimeMs > ABANDONED_AFTER_MS
      if (isAbandoned || (writtenOn === host && !isAlive(Number(pid)))) await rm(path, { force: true })
    }
  }
}

async function monthsIn(folder: string): Promise<(string | null)[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const months = names.flatMap((name) => /^month=(\d{4,6}-\d\d|__HIVE_DEFAULT_PARTITION__)$/.exec(name)?.[1] ?? [])
  return months.map((month) => (month === NO_MONTH ? null : month))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
