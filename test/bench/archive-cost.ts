import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { runProcess } from './contestants'
import type { Cost } from './report'
import { costOnServer } from './server-cost'
import type { LoadTask, Source } from './steps'

/** An archive that rooms are added to. */
export interface Archive {
  readonly url: string
  /** A connection to it that does nothing else. */
  readonly admin: pg.Client
  readonly dataDirectory: string
}

/** What archiving some rooms took. */
export interface ArchiveCost extends Cost {
  readonly rooms: number
  /** Pages of 8 KB that the server looked at, in its own memory or outside it. */
  readonly buffers: number
  /** Those that were not in its own memory. */
  readonly reads: number
  /** Pages that were written to the WAL whole, being changed for the first time since a checkpoint. */
  readonly fullPages: number
}

/** Archives the rooms, or reads them again, by the product in a process of its own. */
export async function archiveRooms({ url, admin, dataDirectory }: Archive, source: Source): Promise<ArchiveCost> {
  const others = await otherBackends(admin)
  const before = await countersOf(admin)
  const task: LoadTask = { ...source, databaseUrl: url }
  const cost = await costOnServer(admin, dataDirectory, () => runProcess('archive-process', task))
  // A backend tells what it did when it ends.
  while ((await otherBackends(admin)).some((pid) => !others.includes(pid))) await delay(20)
  const after = await countersOf(admin)
  return {
    ...cost,
    rooms: source.roomIds.length,
    buffers: after.buffers - before.buffers,
    reads: after.reads - before.reads,
    fullPages: after.fullPages - before.fullPages,
  }
}

async function otherBackends(admin: pg.Client): Promise<number[]> {
  const { rows } = await admin.query<{ pid: number }>(`
    select pid from pg_stat_activity where backend_type = 'client backend' and datname = current_database()`)
  return rows.map(({ pid }) => pid)
}

async function countersOf(admin: pg.Client): Promise<Pick<ArchiveCost, 'buffers' | 'reads' | 'fullPages'>> {
  const { rows } = await admin.query<{ buffers: number; reads: number; full_pages: number }>(`
    select (blks_hit + blks_read)::float8 as buffers, blks_read::float8 as reads, wal_fpi::float8 as full_pages
    from pg_stat_database, pg_stat_wal where datname = current_database()`)
  const [counters] = rows
  if (!counters) throw new Error('The server counts nothing.')
  const { buffers, reads, full_pages: fullPages } = counters
  return { buffers, reads, fullPages }
}
