import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Database } from '../../lib/db/tables'
import { insertRooms, insertRows, shanghai } from '../analytics/rows'
import { partitionMembers } from '../bench/partition-members'
import { createTestDatabase, type TestDatabase } from '../support/database'

/** Tables that grow with the rooms, and what each row of theirs belongs to. */
const byRoom = ['history', 'jobs', 'known_rooms', 'member_records', 'raw_pages', 'rooms', 'runs']

/**
 * Tables that stay small, or are no matter of rooms: on a distributed PostgreSQL, reference tables or local ones. Callbacks
 * are an inbox in the order of arrival: LCIC's word of a room comes before anyone knows of the room.
 */
const notByRoom = [
  ...['budgets', 'callbacks', 'course_rules', 'erasure_salt', 'erasures', 'invocations', 'migrations'],
  ...['migrations_lock', 'regions', 'settings', 'sweeps', 'tenants'],
]

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

test('tables that grow with the rooms can be distributed by room_id', async () => {
  const { rows: tables } = await sql<{ name: string; room_id: string | null }>`
    select c.relname as name, format_type(a.atttypid, null) || case when a.attnotnull then ' not null' else '' end as room_id
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attname = 'room_id'
    where c.relnamespace = 'archive'::regnamespace and c.relkind in ('r', 'p')
    order by c.relname`.execute(database.db)
  // A new table is one or the other.
  expect(tables.map(({ name }) => name)).toEqual([...byRoom, ...notByRoom].sort())
  // Of one type, so that the parts of a room lie on one node.
  const distributed = tables.filter(({ name }) => byRoom.includes(name))
  expect(distributed.map(({ room_id }) => room_id)).toEqual(byRoom.map(() => 'bigint not null'))

  // What is unique has to be so within a node: its first column says which one. And nothing refers to another node.
  const { rows: constraints } = await sql<{ name: string; columns: string }>`
    select x.relname as name, t.relname || ' ' || string_agg(a.attname, ', ' order by key.position) as columns
    from pg_index i
    join pg_class x on x.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid and t.relnamespace = 'archive'::regnamespace
    cross join unnest(i.indkey::int2[]) with ordinality as key (attribute, position)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = key.attribute
    where i.indisunique and t.relname in (${sql.join(byRoom)})
    group by x.relname, t.relname
    order by 2`.execute(database.db)
  expect(constraints.map(({ columns }) => columns)).toEqual([
    'history room_id, revision, user_id',
    'jobs room_id',
    'known_rooms room_id',
    'member_records room_id, user_id',
    'raw_pages room_id, attempt, page',
    'rooms room_id',
    'runs room_id, attempt',
  ])
  const { rows: references } = await sql`
    select from pg_constraint where connamespace = 'archive'::regnamespace and contype in ('f', 'x')`.execute(
    database.db,
  )
  expect(references).toEqual([])
})

test('tables can be replicated: each has a primary key that says which row has changed', async () => {
  const { rows } = await sql`
    select c.relname from pg_class c
    where c.relnamespace = 'archive'::regnamespace and c.relkind = 'r' and (c.relreplident <> 'd' or not exists (
      select from pg_index i where i.indrelid = c.oid and i.indisprimary))`.execute(database.db)
  expect(rows).toEqual([])
})

test('member records can be partitioned by room_id: roles keep their rights, views their answers', async () => {
  const partitioned = await createTestDatabase()
  const { db } = partitioned
  try {
    await partitionMembers(db, { by: 'range', partitions: 4 }, 1000)
    const start = shanghai('2026-03-02', '09:00:00')
    const ids = [1, 300_000_300, 300_000_900]
    const rooms = ids.map((room_id) => ({
      room: { room_id, sdk_app_id: 2, name: '数学 第3讲', real_start_at: start, extra: {} },
      members: [{ user_id: 'a', extra: {} }],
    }))
    await insertRooms(db, rooms)
    const { rows } = await sql<{ parts: number }>`
      select count(distinct tableoid)::int as parts from archive.member_records`.execute(db)
    expect(rows).toEqual([{ parts: 3 }])
    const seen = await db.transaction().execute(async (tx) => {
      await sql`set local role lcic_reader`.execute(tx)
      return sql`select room_id from analytics.fact_attendance where user_id = 'a' order by room_id`.execute(tx)
    })
    expect(seen.rows).toEqual(ids.map((room_id) => ({ room_id: BigInt(room_id) })))
  } finally {
    await partitioned.drop()
  }
})

test('a subscriber to the tables has what the archive has, and the views with it', async () => {
  const subscriber = await createTestDatabase()
  const name = `archive_${randomUUID().slice(0, 8)}`
  const tables = sql.join([...byRoom, 'callbacks'].map((table) => sql.table(`archive.${table}`)))
  await sql`create publication ${sql.id(name)} for table ${tables}`.execute(database.db)
  // Within one server the slot has to be there before.
  await sql`select pg_create_logical_replication_slot(${name}, 'pgoutput')`.execute(database.db)
  await sql`
    create subscription ${sql.id(name)} connection ${sql.lit(database.url)} publication ${sql.id(name)}
    with (create_slot = false, copy_data = false)`.execute(subscriber.db)
  try {
    const start = shanghai('2026-03-02', '09:00:00')
    const members = [{ user_id: 'a' }, { user_id: 'b', hand_ups: 1 }, { user_id: 'c' }].map((member) => ({
      ...member,
      extra: {},
    }))
    await insertRooms(database.db, [
      { room: { room_id: 1, sdk_app_id: 2, name: '数学 第3讲', real_start_at: start, extra: {} }, members },
    ])
    await insertRows(database.db, 'jobs', [
      {
        room_id: 1,
        state: 'archived',
        hinted_by: 'sweep',
        deadline_at: start,
        attempts: 1,
        created_at: start,
        updated_at: start,
        waits: false,
      },
    ])
    await sql`update archive.member_records set hand_ups = 7 where user_id = 'b'`.execute(database.db)
    await sql`delete from archive.member_records where user_id = 'c'`.execute(database.db)
    const read = async (db: Kysely<Database>) => {
      const facts = await sql`select * from analytics.fact_attendance order by user_id`.execute(db)
      const rooms = await sql`select * from archive.rooms`.execute(db)
      const jobs = await sql`select * from archive.jobs`.execute(db)
      return { facts: facts.rows, rooms: rooms.rows, jobs: jobs.rows }
    }
    const archived = await read(database.db)
    expect(archived).toMatchObject({
      facts: [{ user_id: 'a' }, { user_id: 'b', hand_ups: 7, course: '数学' }],
      jobs: [{}],
    })
    await vi.waitFor(async () => expect(await read(subscriber.db)).toEqual(archived), { timeout: 20_000, interval: 20 })
  } finally {
    await sql`drop subscription ${sql.id(name)}`.execute(subscriber.db)
    await subscriber.drop()
  }
})
