import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AnalyticsSnapshot,
  inAnalyticsSnapshot,
  type MonthSpan,
  type SnapshotMonth,
} from '../db/analytics-snapshot'
import type { ConnectOptions } from '../db/connect'
import { exportError } from './errors'
import { FINGERPRINT, partPath, readParts, removeLeftOvers, removePart } from './layout'
import { loadParquet, type Parquet } from './parquet'
import { type RowGroupSize, writePart } from './write-part'

/** Counts up when a column is added; a change that breaks readers would be another schema, `analytics_v2`. */
const SCHEMA_VERSION = '1'

/** As DuckDB's, and little memory. */
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
 * @throws {UsageError} `E_EXPORT_DIRECTORY`
 * @throws {ArchiveError} `E_EXPORT_SPACE`, `E_EXPORT_WRITE`
 * @throws the signal's reason
 */
export async function exportTables(options: ExportOptions): Promise<ExportReport> {
  try {
    await mkdir(options.directory, { recursive: true })
    const parquet = await loadParquet()
    return await inAnalyticsSnapshot(options.database, (snapshot) => exportSnapshot(snapshot, parquet, options))
  } catch (error) {
    throw exportError(error, options.directory)
  }
}

async function exportSnapshot(
  snapshot: AnalyticsSnapshot,
  parquet: Parquet,
  options: ExportOptions,
): Promise<ExportReport> {
  const { directory, span, version, now, rowGroup = ROW_GROUP, signal, onProgress } = options
  const { timeZone, definitions, isInSpan } = await snapshot.terms(span)
  const months = await snapshot.months(span)
  const stale: { table: ExportedTable; month: SnapshotMonth; fingerprint: string }[] = []
  const unchanged: string[] = []
  const vanished: string[] = []
  for (const table of exportedTables) {
    await removeLeftOvers(directory, table, now())
    const parts = await readParts(directory, table, parquet)
    for (const month of months) {
      const fingerprint = fingerprintOf([SCHEMA_VERSION, table, definitions, month.content])
      if (parts.get(month.month) === fingerprint) unchanged.push(partPath(table, month.month))
      else stale.push({ table, month, fingerprint })
      parts.delete(month.month)
    }
    for (const month of parts.keys()) if (isInSpan(month)) vanished.push(partPath(table, month))
  }

  const columns = {
    fact_attendance: await snapshot.columns('fact_attendance'),
    dim_room: await snapshot.columns('dim_room'),
    fact_room_session: await snapshot.columns('fact_room_session'),
  }
  const written: WrittenPart[] = []
  const expectedRows = stale.reduce((sum, { table, month }) => sum + expectedRowsOf(table, month), 0)
  let rows = 0
  for (const {
    table,
    month: { month },
    fingerprint,
  } of stale) {
    const path = partPath(table, month)
    const metadata = {
      'lcic_archive.table': table,
      'lcic_archive.month': month ?? '',
      'lcic_archive.schema_version': SCHEMA_VERSION,
      'lcic_archive.version': version,
      'lcic_archive.time_zone': timeZone,
      [FINGERPRINT]: fingerprint,
    }
    const part = await writePart(parquet, {
      path: join(directory, path),
      columns: columns[table],
      rows: await snapshot.rows(table, month),
      metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      rowGroup,
      createdBy: `lcic-archive version ${version}`,
      ...(signal && { signal }),
      onRows: (added) => onProgress?.({ table, month, rows: rows + added, expectedRows }),
    })
    rows += part.rows
    written.push({ table, month, path, ...part })
  }
  for (const path of vanished) await removePart(join(directory, path))
  return { schemaVersion: SCHEMA_VERSION, timeZone, written, unchanged, removed: vanished }
}

function expectedRowsOf(table: ExportedTable, { rooms, records }: SnapshotMonth): number {
  return table === 'fact_attendance' ? records : rooms
}

function fingerprintOf(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)
}
