import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { linkedController } from '../abort'
import {
  type AnalyticsSnapshot,
  inAnalyticsSnapshot,
  type MonthSpan,
  type SnapshotColumn,
} from '../db/analytics-snapshot'
import type { ConnectOptions } from '../db/connect'
import { UsageError } from '../errors'
import { exportError } from './errors'
import { FINGERPRINT, partPath, readParts, removeLeftOvers, removePart } from './layout'
import { makeDirectory } from './make-directory'
import { loadParquet, type Parquet } from './parquet'
import { type RowGroupSize, writePart } from './write-part'

/** Counts up when a column is added; a change that breaks readers would be another schema, `analytics_v2`. */
const SCHEMA_VERSION = '1'

/** PostgreSQL takes longer to send a row than it takes to write it. Each reader holds a row group in memory. */
const READERS = 2

/** As large as DuckDB's own. */
const ROW_GROUP = { rows: 122_880, bytes: 128 * 1024 * 1024 }

export const exportedTables = ['fact_attendance', 'dim_room', 'fact_room_session'] as const
export type ExportedTable = (typeof exportedTables)[number]

export interface ExportOptions {
  readonly database: ConnectOptions
  /** Created if absent. */
  readonly directory: string
  /** Whole months that this touches; absent: all, and rooms without a start. */
  readonly span: MonthSpan
  /** Of this program. */
  readonly version: string
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** The most that a row group holds: it is kept in memory. */
  readonly rowGroup?: RowGroupSize
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ExportProgress) => void
}

export interface ExportProgress {
  readonly table: ExportedTable
  readonly month: string | null
  /** Written so far, of all tables and months. */
  readonly rows: number
  /** As LCIC announced them; there may be a few less or more. */
  readonly expectedRows: number
}

export interface WrittenPart {
  readonly table: ExportedTable
  readonly month: string | null
  /** Seen from the directory. */
  readonly path: string
  readonly rows: number
  readonly bytes: number
}

export interface ExportReport {
  readonly schemaVersion: string
  readonly timeZone: string
  readonly written: readonly WrittenPart[]
  /** Files that say what the database says already. */
  readonly unchanged: readonly string[]
  /** Files of months that no room is left in. */
  readonly removed: readonly string[]
}

/**
 * Writes the tables to Parquet files, one a table and month, and only those that differ from what is there: what a
 * file was made from stands in its metadata, so that no other state is needed. All is read in one snapshot.
 *
 * Each file is put into its place in one step. Two exports into one directory do each other no harm: the last one to
 * write a file wins, and if it was the one that read earlier, the next export finds that out.
 *
 * @throws {UsageError} `E_EXPORT_DIRECTORY`, `E_EXPORT_EMPTY`
 * @throws {ArchiveError} `E_EXPORT_SPACE`, `E_EXPORT_WRITE`
 * @throws the signal's reason
 */
export async function exportTables(options: ExportOptions): Promise<ExportReport> {
  try {
    await makeDirectory(options.directory)
    const parquet = await loadParquet()
    return await inAnalyticsSnapshot(options.database, READERS, (snapshots) =>
      exportSnapshot(snapshots, parquet, options),
    )
  } catch (error) {
    throw exportError(error, options.directory)
  }
}

async function exportSnapshot(
  snapshots: readonly AnalyticsSnapshot[],
  parquet: Parquet,
  options: ExportOptions,
): Promise<ExportReport> {
  const { directory, span, now, signal, onProgress } = options
  const [snapshot] = snapshots
  if (!snapshot) throw new TypeError('Nothing reads the snapshot.')
  const { timeZone, definitions, isInSpan } = await snapshot.terms(span)
  const months = await snapshot.months(span)
  const stale: StalePart[] = []
  const unchanged: string[] = []
  const removed: string[] = []
  for (const table of exportedTables) {
    await removeLeftOvers(directory, table, now())
    const parts = await readParts(directory, table, parquet)
    const columns = await snapshot.columns(table)
    for (const { month, rooms, records, content } of months) {
      const path = partPath(table, month)
      const fingerprint = fingerprintOf([SCHEMA_VERSION, table, columns, definitions, content])
      const expectedRows = table === 'fact_attendance' ? records : rooms
      if (parts.get(month) === fingerprint) unchanged.push(path)
      else stale.push({ table, month, path, columns, fingerprint, timeZone, expectedRows })
      parts.delete(month)
    }
    for (const month of parts.keys()) if (isInSpan(month)) removed.push(partPath(table, month))
  }
  // More likely another database, or a login that sees another app, than an archive that has lost all of its classes.
  if (months.length === 0 && removed.length > 0) {
    throw new UsageError(
      'E_EXPORT_EMPTY',
      `There is not one class to export, and ${directory} has files of some: is it another archive's, or does this login ` +
        'see other apps? Nothing was changed. If the classes are gone for good, delete the files yourself.',
    )
  }

  const expectedRows = stale.reduce((sum, part) => sum + part.expectedRows, 0)
  const written: WrittenPart[] = []
  const left = [...stale.entries()]
  let rows = 0
  const failure = linkedController(signal)
  const work = async (reader: AnalyticsSnapshot) => {
    for (let next = left.shift(); next && !failure.signal.aborted; next = left.shift()) {
      const [index, part] = next
      const onRows = (added: number) => {
        rows += added
        onProgress?.({ table: part.table, month: part.month, rows, expectedRows })
      }
      written[index] = await writeStale(reader, parquet, part, { ...options, signal: failure.signal, onRows })
    }
  }
  // Whoever fails stops the others, and is waited for: nothing half-written stays.
  await Promise.all(snapshots.map((reader) => work(reader).catch((error: unknown) => failure.abort(error))))
  failure.unlink()
  failure.signal.throwIfAborted()
  for (const path of removed) await removePart(join(directory, path))
  return { schemaVersion: SCHEMA_VERSION, timeZone, written, unchanged, removed }
}

/** A file that is not there, or is not what the database says. */
interface StalePart {
  readonly table: ExportedTable
  readonly month: string | null
  readonly path: string
  readonly columns: readonly SnapshotColumn[]
  readonly fingerprint: string
  readonly timeZone: string
  readonly expectedRows: number
}

async function writeStale(
  reader: AnalyticsSnapshot,
  parquet: Parquet,
  { table, month, path, columns, fingerprint, timeZone }: StalePart,
  {
    directory,
    version,
    rowGroup = ROW_GROUP,
    signal,
    onRows,
  }: ExportOptions & { signal: AbortSignal; onRows: (rows: number) => void },
): Promise<WrittenPart> {
  const metadata = {
    'lcic_archive.table': table,
    'lcic_archive.month': month ?? '',
    'lcic_archive.schema_version': SCHEMA_VERSION,
    'lcic_archive.version': version,
    'lcic_archive.time_zone': timeZone,
    [FINGERPRINT]: fingerprint,
  }
  const { rows, bytes } = await writePart(parquet, {
    path: join(directory, path),
    columns,
    rows: await reader.rows(table, month),
    metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    createdBy: `lcic-archive version ${version}`,
    rowGroup,
    signal,
    onRows,
  })
  return { table, month, path, rows, bytes }
}

function fingerprintOf(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)
}
