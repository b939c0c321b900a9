import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { RoomRange } from './room-ranges'
import type { Database } from './tables'

/** A member, as he may be found. */
export interface Trace {
  /** Under which he may be known. */
  readonly userIds: readonly string[]
  /** Those of the ids that are long enough to be looked for in fields that LCIC may have added. */
  readonly tellingIds: readonly string[]
}

/** The rooms of a range that may hold something of the member: a row, a page, or a field that names him. */
export async function roomsWithTraces(
  db: Kysely<Database>,
  { trace, range }: { trace: Trace; range: RoomRange },
): Promise<bigint[]> {
  const inRange = sql`room_id > ${range.after} and room_id <= ${range.upTo}`
  const ids = sql`${trace.userIds}::text[]`
  const { rows } = await sql<{ room_id: bigint }>`
    select room_id from archive.member_records where ${inRange} and user_id = any (${ids})
    union
    select room_id from archive.member_records where ${inRange} and extra <> '{}' and ${names(sql`extra`, trace)}
    union
    select room_id from archive.history where ${inRange} and (user_id = any (${ids}) or ${names(sql`old`, trace)})
    union
    select room_id from archive.rooms where ${inRange} and extra <> '{}' and ${names(sql`extra`, trace)}
    union
    select room_id from archive.raw_pages p where ${inRange} and ${mayBeOnPage(trace)}
    order by room_id`.execute(db)
  return rows.map((row) => row.room_id)
}

/** Whether a jsonb has a text that is one of the telling ids. */
export function names(column: RawBuilder<unknown>, { tellingIds }: Trace): RawBuilder<boolean> {
  return hasLiteral(sql`${column}::text`, tellingIds)
}

/**
 * Whether a page `p` may hold the member. His id stands in its text as it is, or, if there is a backslash in it, in other
 * characters: then PostgreSQL reads it. Who looks closer finds out.
 */
export function mayBeOnPage(trace: Trace): RawBuilder<boolean> {
  return sql`(p.body is not null and (
    ${hasLiteral(sql`p.body::text`, trace.userIds)}
    or ${hasLiteral(sql`p.records::text`, trace.userIds)}
    or ${hasLiteral(sql`p.figures::text`, trace.tellingIds)}
    or position('\\' in p.body::text) > 0 and exists (
      select from json_to_recordset(coalesce(p.records, p.body #> '{Response,MemberRecords}')) as r ("UserId" text)
      where r."UserId" = any (${trace.userIds}::text[]))))`
}

function hasLiteral(text: RawBuilder<unknown>, strings: readonly string[]): RawBuilder<boolean> {
  const literals = strings.map((string) => JSON.stringify(string))
  return sql`coalesce((select bool_or(position(literal in ${text}) > 0) from unnest(${literals}::text[]) as literal), false)`
}
