import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

/** A row of an archive table, by its columns. */
export type Row = Readonly<Record<string, unknown>>

/** An archived room with its members. */
export interface ArchivedRoom {
  readonly room: Row
  readonly members: readonly Row[]
}

/** A moment by the clock of Shanghai, the time zone of an archive unless it is told another. */
export function shanghai(date: string, time: string): Date {
  return new Date(`${date}T${time}+08:00`)
}

/** A moment so many seconds after another. */
export function later(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000)
}

/** When everything here was archived. */
export const archivedAt = new Date('2026-06-01T00:00:00Z')

const archived = { archived_at: archivedAt, changed_at: archivedAt }

/** Members first, as archiving does. */
export async function insertRooms(db: Kysely<Database>, rooms: readonly ArchivedRoom[]): Promise<void> {
  await insertRows(
    db,
    'member_records',
    rooms.flatMap(({ room, members }) => members.map((member) => ({ ...archived, ...member, room_id: room.room_id }))),
  )
  await insertRows(
    db,
    'rooms',
    rooms.map(({ room, members }) => ({
      total: members.filter(({ removed_at }) => !removed_at).length,
      revision: 1,
      attempt: 1,
      content_hash: '',
      erased: 0,
      ...archived,
      ...room,
    })),
  )
}

/** Columns that a row does not name are null in it; those that none names have their defaults. */
export async function insertRows(db: Kysely<Database>, table: string, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return
  const columns = sql.join([...new Set(rows.flatMap((row) => Object.keys(row)))].map((column) => sql.id(column)))
  await sql`
    insert into ${sql.id('archive', table)} (${columns})
    select ${columns} from json_populate_recordset(${sql.raw(`null::archive.${table}`)}, ${JSON.stringify(rows)}::json)`.execute(
    db,
  )
}
