import { type Kysely, sql } from 'kysely'
import { names, type Trace } from './find-traces'
import type { Instant } from './instant'
import { appOf } from './read-erasures'
import type { Database } from './tables'

/**
 * Locks a room's job for the rest of the transaction: who pulls it, merges it, replays it or prunes it waits. A plan locks
 * nothing.
 *
 * @returns its app, null while that is not known
 */
export async function lockRoom(
  db: Kysely<Database>,
  roomId: bigint,
  { plan }: { plan: boolean },
): Promise<bigint | null> {
  if (!plan) await sql`select from archive.jobs where room_id = ${roomId} for update`.execute(db)
  const { rows } = await sql<{ app: bigint | null }>`select ${appOf(sql`${roomId}::bigint`)} as app`.execute(db)
  return rows[0]?.app ?? null
}

/** What is personal in a member's rows. */
export interface PersonalTexts {
  readonly user_name: string | null
  readonly ip_address: string | null
  readonly location: string | null
  readonly isRemoved: boolean
}

/** Looks at, or deletes, the rows of a member in a room. */
export async function eraseMemberRows(
  db: Kysely<Database>,
  { roomId, trace, plan }: { roomId: bigint; trace: Trace; plan: boolean },
): Promise<{ members: PersonalTexts[]; history: PersonalTexts[] }> {
  const his = sql`room_id = ${roomId} and user_id = any (${trace.userIds}::text[])`
  const members = sql`user_name, ip_address, location, removed_at is not null as "isRemoved"`
  const old = sql`old ->> 'user_name' as user_name, old ->> 'ip_address' as ip_address, old ->> 'location' as location,
    true as "isRemoved"`
  const { rows: memberRows } = await (plan
    ? sql<PersonalTexts>`select ${members} from archive.member_records where ${his}`
    : sql<PersonalTexts>`delete from archive.member_records where ${his} returning ${members}`
  ).execute(db)
  const { rows: historyRows } = await (plan
    ? sql<PersonalTexts>`select ${old} from archive.history where ${his}`
    : sql<PersonalTexts>`delete from archive.history where ${his} returning ${old}`
  ).execute(db)
  return { members: memberRows, history: historyRows }
}

/** A value outside of the member's own rows that names him. */
export interface NamingValue {
  readonly table: 'rooms' | 'member_records' | 'history'
  readonly ctid: string
  readonly text: string
}

export async function valuesNaming(
  db: Kysely<Database>,
  { roomId, trace }: { roomId: bigint; trace: Trace },
): Promise<NamingValue[]> {
  const { rows } = await sql<NamingValue>`
    select 'rooms' as "table", ctid::text, extra::text as text from archive.rooms
    where room_id = ${roomId} and ${names(sql`extra`, trace)}
    union all
    select 'member_records', ctid::text, extra::text from archive.member_records
    where room_id = ${roomId} and extra <> '{}' and ${names(sql`extra`, trace)}
    union all
    select 'history', ctid::text, old::text from archive.history
    where room_id = ${roomId} and ${names(sql`old`, trace)}`.execute(db)
  return rows
}

/** The room has to be locked since the value was read; of it there is one row alone. */
export async function replaceValue(
  db: Kysely<Database>,
  { table, ctid, text }: NamingValue,
  roomId: bigint,
): Promise<void> {
  const column = sql.id(table === 'history' ? 'old' : 'extra')
  await sql`
    update ${sql.id('archive', table)} set ${column} = ${text}::jsonb
    where room_id = ${roomId} and (${table === 'rooms'} or ctid = ${ctid}::tid)`.execute(db)
}

export interface Message {
  /** Of a run; null: of the job. */
  readonly attempt: number | null
  readonly text: string
}

/** What jobs and runs say of a room in words. */
export async function roomMessages(db: Kysely<Database>, roomId: bigint): Promise<Message[]> {
  const { rows } = await sql<Message>`
    select null::int as attempt, last_error_message as text from archive.jobs
    where room_id = ${roomId} and last_error_message is not null
    union all
    select attempt, error_message from archive.runs
    where room_id = ${roomId} and error_message is not null`.execute(db)
  return rows
}

export async function replaceMessage(db: Kysely<Database>, { attempt, text }: Message, roomId: bigint): Promise<void> {
  await (attempt === null
    ? sql`update archive.jobs set last_error_message = ${text} where room_id = ${roomId}`
    : sql`update archive.runs set error_message = ${text} where room_id = ${roomId} and attempt = ${attempt}`
  ).execute(db)
}

/**
 * The row of a room from which a member was erased: it has changed, and says how many of its records are left out. Where
 * its pages are gone, that are those that were counted, and the members deleted now.
 */
export async function countErasedRecords(
  db: Kysely<Database>,
  {
    roomId,
    members,
    hashes,
    now,
  }: { roomId: bigint; members: number; hashes: ReadonlyMap<string, string>; now: Instant },
): Promise<void> {
  await sql`
    update archive.rooms r
    set erased = coalesce((
        select sum(p.erased)::int from archive.raw_pages p where p.room_id = r.room_id and p.attempt = r.attempt
      ), r.erased + ${members}),
      content_hash = coalesce((
        select h.now from unnest(${[...hashes.keys()]}::text[], ${[...hashes.values()]}::text[]) as h (before, now)
        where h.before = r.content_hash
      ), r.content_hash),
      revision = r.revision + 1, changed_at = ${now}
    where r.room_id = ${roomId}`.execute(db)
}
