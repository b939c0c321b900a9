import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'
import type { RequestLogEntry } from '../../lib/simulator'
import type { Violation } from './checks/violation'
import type { Plan } from './plan'

export interface Evidence {
  readonly directory: string
  readonly plan: Plan
  readonly violations: readonly Violation[]
  readonly requests: readonly RequestLogEntry[]
  readonly db: Kysely<Database>
}

/** Writes down, beside the logs, what was planned and found, and all rows of the rooms concerned but the pages' texts. */
export async function writeEvidence({ directory, plan, violations, requests, db }: Evidence): Promise<void> {
  const write = (name: string, content: unknown) => writeFile(join(directory, `${name}.json`), toJson(content))
  await write('plan', plan)
  await write('violations', violations)
  await write('requests', requests)
  const roomIds = [...new Set(violations.flatMap(({ roomId }) => (roomId === undefined ? [] : String(roomId))))]
  const tables = [
    ['jobs', sql`*`],
    ['rooms', sql`*`],
    ['runs', sql`*`],
    ['raw_pages', sql`room_id, attempt, page, request_id, record_count, content_hash, same_as_attempt, fetched_at`],
    ['member_records', sql`*`],
    ['callbacks', sql`*`],
  ] as const
  for (const [table, columns] of tables) {
    const { rows } = await sql`
      select ${columns} from ${sql.id('archive', table)} where room_id = any (${roomIds}::bigint[]) order by room_id
    `.execute(db)
    await write(table, rows)
  }
}

function toJson(content: unknown): string {
  return JSON.stringify(content, (_, value) => (typeof value === 'bigint' ? String(value) : value), 1)
}
