import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiveRoom } from '../../lib/archive/archive-room'
import { createBudget } from '../../lib/archive/budget'
import type { ArchiveContext } from '../../lib/archive/context'
import { describeRooms } from '../../lib/archive/describe-rooms'
import { replayRoom } from '../../lib/archive/replay-room'
import { sweep } from '../../lib/archive/sweep'
import { work } from '../../lib/archive/work'
import { createRole } from '../../lib/db/create-role'
import { grantRights, type RightsChange } from '../../lib/db/grant-rights'
import { migrateDown, migrateUp, pendingMigrations } from '../../lib/db/migrate'
import { readRights } from '../../lib/db/read-rights'
import { readFailedRooms, readStatus } from '../../lib/db/read-status'
import { reserveInvocation } from '../../lib/db/reserve-invocation'
import { retryRooms } from '../../lib/db/retry-rooms'
import { groupRoles, type Right, rightsOf, schemas } from '../../lib/db/rights'
import { storeCallbacks } from '../../lib/db/store-callbacks'
import type { Database } from '../../lib/db/tables'
import type { School } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { createEmptyDatabase, createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { insufficientPrivilege, login, refusalOf } from '../support/login'

const rolesFile = join(import.meta.dirname, '..', '..', 'migrations', 'roles.sql')

/** Said of views that nobody could write to, before rights are looked at. */
const notUpdatable = '55000'

/** Everything that functions and workers do, with rooms of its own. */
async function workThrough(context: ArchiveContext, school: School): Promise<void> {
  const { db } = context
  const now = context.now()
  const apps = { sdkAppIds: [BigInt(school.sdkAppId)], lookbackMs: 76 * 3_600_000 }
  const [room, notReady] = [school.addRoom({ members: 3 }), school.addRoom({ members: 3, notReadyAnswers: 1000 })]
  const isWorkedOff = () => work(context, { until: 'nothing_due', roomsAtOnce: 1 })

  // A sweep, which extends what is known; a callback; and what is due, of which one room is put off.
  await sweep(context, apps)
  await sweep(context, { ...apps, span: { from: new Date(Date.now() - 86_400_000), to: new Date() } })
  const callback = { roomId: room.roomId, sdkAppId: null, eventType: 'RoomEnd', body: '{}' }
  await storeCallbacks(db, { callbacks: [callback], now })
  const start = { functionName: 'archive-rooms', spacingMs: 0, busyMs: 60_000 }
  expect([await reserveInvocation(db, start), await reserveInvocation(db, start)]).toEqual([true, true])
  await isWorkedOff()
  await describeRooms(context, { most: 10, patience: { waitMs: 0 } })
  // Re-reads: nothing new, another value, a member less, a name, and the one that was put off.
  const [first] = room.members
  const read = ({ roomId } = room) => archiveRoom(context, roomId, { waitMs: 0 })
  expect(await read()).toMatchObject({ outcome: 'unchanged' })
  if (first) first.HandUps = 42
  room.figures = { ...room.figures, MicCount: 17 }
  expect(await read()).toMatchObject({ outcome: 'archived', updated: 1 })
  room.members.pop()
  expect(await read()).toMatchObject({ outcome: 'shrunk' })
  expect(await read()).toMatchObject({ outcome: 'archived', removed: 1 })
  expect(await read(notReady)).toMatchObject({ outcome: 'not_ready' })
  notReady.notReadyAnswers = 0
  await retryRooms(db, { rooms: [notReady.roomId], now: context.now() })
  await isWorkedOff()
  room.name = 'Renamed'
  await sweep(context, apps)
  expect(await replayRoom(db, room.roomId)).toMatchObject({ inserted: 0, updated: 0 })
  await readStatus(db, { now })
  expect(await pendingMigrations(db)).toEqual([])
}

/** The archive as such a login sees it. */
function contextOf({ context }: TestArchive, db: Kysely<Database>): ArchiveContext {
  const { lcic, clock } = context
  return { ...context, db, budget: createBudget({ db, lcic, clock, requestsPerSecond: 100_000 }) }
}

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let archive: TestArchive
  beforeAll(async () => {
    archive = await openTestArchive({ version })
  })
  afterAll(() => archive?.close())

  test('a login in lcic_writer does all that functions and workers do', async () => {
    await using writer = await login(archive, 'in role lcic_writer')
    await workThrough(contextOf(archive, writer.db), archive.school)
  })

  test.each(groupRoles.filter((role) => role !== 'lcic_migrator'))(
    'a login in %s is refused all else',
    async (group) => {
      await using member = await login(archive, `in role ${group}`, { max: 1 })
      const relations = await relationsOf(archive.db)
      const allowed = rightsOf(group, relations).flatMap(({ verb, schema, table, column }) =>
        table && !column ? [`${verb} ${schema}.${table}`] : [],
      )
      const statements = relations.flatMap(({ schema, name: relation, column: last, isView }) => {
        const [name, column] = [sql.id(schema, relation), sql.id(last)]
        const verbs = {
          select: sql`select * from ${name} limit 0`,
          // The right is looked at before the row is.
          insert: sql`insert into ${name} select * from (select) as nothing where false`,
          update: sql`update ${name} set ${column} = default where false`,
          delete: sql`delete from ${name} where false`,
          ...(!isView && { truncate: sql`truncate ${name}` }),
          alter: isView
            ? sql`alter view ${name} reset (security_barrier)`
            : sql`alter table ${name} add column more int`,
          drop: isView ? sql`drop view ${name}` : sql`drop table ${name}`,
        }
        return Object.entries(verbs).map(([verb, statement]) => ({ what: `${verb} ${schema}.${relation}`, statement }))
      })
      const creations = [...schemas.map((schema) => `table ${schema}.more ()`), 'schema more', 'role more'].map(
        (what) => ({
          what,
          statement: sql`create ${sql.raw(what)}`,
        }),
      )
      expect((await notRefused(member.db, [...statements, ...creations])).sort()).toEqual(allowed.sort())
    },
  )

  test('a login in lcic_monitor reads the status, and nothing that is personal', async () => {
    await using monitor = await login(archive, 'in role lcic_monitor')
    const { db } = monitor
    expect(await pendingMigrations(db)).toEqual([])
    expect((await readStatus(db, { now: new Date() })).days).not.toEqual([])
    await readFailedRooms(db, { limit: 10 })
    const personal = [
      sql`select user_name from archive.member_records`,
      sql`select user_id from archive.member_records`,
      sql`select body from archive.raw_pages`,
      sql`select old from archive.history`,
      sql`select user_id from archive.history`,
      sql`select body from archive.callbacks`,
      sql`select name from archive.rooms`,
      sql`select teacher_id from archive.rooms`,
      sql`select name from archive.known_rooms`,
      sql`select teacher_id from archive.known_rooms`,
    ]
    for (const query of personal) expect(await refusalOf(query.execute(db))).toBe(insufficientPrivilege)
  })

  test('a login in lcic_migrator, made after roles.sql has run, migrates an empty database, and another goes on from there', async () => {
    const database = await createEmptyDatabase(version)
    {
      await sql.raw(await readFile(rolesFile, 'utf8')).execute(database.db)
      await sql.raw(await readFile(rolesFile, 'utf8')).execute(database.db)
      await using first = await login(database, 'in role lcic_migrator')
      await using second = await login(database, 'in role lcic_migrator')
      await migrateUp(first.db)
      expect(await ownersOf(database.db)).toEqual({ lcic_migrator: expect.anything() })
      await migrateDown(second.db)
      await migrateUp(second.db)
      expect(await ownersOf(database.db)).toEqual({ lcic_migrator: expect.anything() })
      // Not even a superuser finds anything left to grant: the file and rights.ts agree.
      expect(await grantRights(database.db)).toBeUndefined()
    }
    await database.drop()
  })

  test('who owns the archive, and is a member of none of the roles, grants them their rights and stays the owner', async () => {
    const database = await createEmptyDatabase(version)
    {
      await using owner = await login(database, 'createrole')
      await sql`alter database ${sql.id(new URL(database.url).pathname.slice(1))} owner to ${sql.id(owner.role)}`.execute(
        database.db,
      )
      await migrateUp(owner.db)
      expect(await ownersOf(database.db)).toEqual({ [owner.role]: expect.anything() })
      await using writer = await login(database, 'in role lcic_writer')
      expect(await pendingMigrations(writer.db)).toEqual([])
      // Once it is a member, the archive changes hands, and it works on.
      await sql`grant lcic_migrator to ${sql.id(owner.role)}`.execute(database.db)
      await migrateUp(owner.db)
      expect(await ownersOf(database.db)).toEqual({ lcic_migrator: expect.anything() })
      await sql`alter database ${sql.id(new URL(database.url).pathname.slice(1))} owner to current_user`.execute(
        database.db,
      )
    }
    await database.drop()
  })
})

test('each right of lcic_writer is needed: without any one of them its work fails', async () => {
  const archive = await openTestArchive()
  {
    await using writer = await login(archive, 'in role lcic_writer')
    const context = contextOf(archive, writer.db)
    const needless = await rightsNotNeeded(archive, rightsOf('lcic_writer'), () => workThrough(context, archive.school))
    expect(needless).toEqual([])
  }
  await archive.close()
})

test('each right of lcic_monitor is needed: without any one of them there is no status', async () => {
  const database = await createTestDatabase()
  {
    await using monitor = await login(database, 'in role lcic_monitor')
    const needless = await rightsNotNeeded(database, rightsOf('lcic_monitor'), async () => {
      await readStatus(monitor.db, { now: new Date() })
      await readFailedRooms(monitor.db, { limit: 1 })
      await pendingMigrations(monitor.db)
    })
    expect(needless).toEqual([])
  }
  await database.drop()
})

test('rights that somebody took or gave are as they are meant to be after the next migrate, which tells them', async () => {
  const database = await createTestDatabase()
  const { db } = database
  await migrateUp(db)
  await sql`revoke insert on archive.callbacks from lcic_writer`.execute(db)
  await sql`grant delete on archive.jobs to lcic_writer`.execute(db)
  await sql`grant select on archive.rooms to lcic_monitor`.execute(db)
  // What analysts had before there was a role for monitors.
  await sql`grant usage on schema archive to lcic_reader`.execute(db)
  await sql`grant select on archive.sweeps to lcic_reader`.execute(db)
  await sql`grant select (room_id) on archive.jobs to lcic_reader`.execute(db)
  const changes: RightsChange[] = []
  const onRights = (change: RightsChange) => changes.push(change)
  await Promise.all(Array.from({ length: 4 }, () => migrateUp(db, { onRights })))
  await migrateUp(db, { onRights })
  const told = ({ role, verb, schema, table, column }: Right) =>
    `${role} ${verb} ${table ?? schema}${column ? `.${column}` : ''}`
  expect(changes.flatMap(({ granted }) => granted.map(told))).toEqual([
    'lcic_writer insert callbacks',
    'lcic_monitor select rooms.real_end_at',
    'lcic_monitor select rooms.archived_at',
  ])
  expect(changes.flatMap(({ revoked }) => revoked.map(told)).sort()).toEqual([
    'lcic_monitor select rooms',
    'lcic_reader select jobs.room_id',
    'lcic_reader select sweeps',
    'lcic_reader usage archive',
    'lcic_writer delete jobs',
  ])
  await database.drop()
})

test('any number that grant at once grant everything once', async () => {
  const database = await createTestDatabase()
  const { db } = database
  await sql`revoke all on all tables in schema archive from lcic_writer, lcic_monitor`.execute(db)
  const changes = await Promise.all(Array.from({ length: 8 }, () => grantRights(db)))
  const granted = changes.flatMap((change) => change?.granted ?? [])
  expect(granted).toHaveLength(new Set(granted.map((right) => JSON.stringify(right))).size)
  expect(granted.length).toBeGreaterThan(40)
  await database.drop()
})

test('roles that are missing are created by who may, with all their rights', async () => {
  const database = await createTestDatabase()
  await expect(
    database.db.transaction().execute(async (tx) => {
      // Roles belong to the whole server: they go for this transaction alone.
      for (const role of groupRoles)
        await sql`alter role ${sql.id(role)} rename to ${sql.id(`${role}_gone`)}`.execute(tx)
      const change = await grantRights(tx)
      expect(change).toMatchObject({ created: groupRoles, revoked: [], absent: [] })
      const relations = await relationsOf(tx)
      const rights = groupRoles.flatMap((role) => rightsOf(role, relations))
      expect(change?.granted).toHaveLength(rights.length)
      expect(await grantRights(tx)).toBeUndefined()
      throw new Error('enough')
    }),
  ).rejects.toThrow('enough')
  await database.drop()
})

test('who may not create roles is told of those that are missing, unless there are none at all', async () => {
  const database = await createTestDatabase()
  {
    await using owner = await login(database, '')
    const seen = (gone: readonly string[]) =>
      database.db.transaction().execute(async (tx) => {
        for (const role of gone) await sql`alter role ${sql.id(role)} rename to ${sql.id(`${role}_gone`)}`.execute(tx)
        await sql`set local role ${sql.id(owner.role)}`.execute(tx)
        const { absent, rolesToCreate } = await readRights(tx)
        await sql`reset role`.execute(tx)
        for (const role of gone) await sql`alter role ${sql.id(`${role}_gone`)} rename to ${sql.id(role)}`.execute(tx)
        return { absent, rolesToCreate }
      })
    expect(await seen(['lcic_monitor'])).toEqual({ absent: ['lcic_monitor'], rolesToCreate: [] })
    expect(await seen(groupRoles)).toEqual({ absent: [], rolesToCreate: [] })
  }
  await database.drop()
})

test('databases of one server that create a role at once all succeed', async () => {
  const database = await createTestDatabase()
  const role = `role_${randomUUID().slice(0, 8)}`
  await Promise.all(Array.from({ length: 8 }, () => createRole(database.db, role)))
  await sql`drop role ${sql.id(role)}`.execute(database.db)
  await database.drop()
})

/** Takes one right after the other for as long as the work is done. @returns those without which it succeeds all the same */
async function rightsNotNeeded(
  { db }: TestDatabase,
  rights: readonly Right[],
  doWork: () => Promise<unknown>,
): Promise<string[]> {
  const needless: string[] = []
  for (const { role, on, verb, schema, table, column } of rights) {
    // Everybody may connect, unless an administrator has taken that from all.
    if (on === 'database') continue
    const what = sql`${sql.raw(verb)} ${column === null ? sql`` : sql`(${sql.id(column)})`} on ${table === null ? sql`schema ${sql.id(schema ?? '')}` : sql.id(schema ?? '', table)}`
    await sql`revoke ${what} from ${sql.id(role)}`.execute(db)
    const outcome = await refusalOf(doWork())
    await sql`grant ${what} to ${sql.id(role)}`.execute(db)
    if (outcome !== insufficientPrivilege) needless.push(`${verb} ${table} ${column}: ${outcome}`)
  }
  return needless
}

/** Which of the statements are not refused for want of a right; none of them is kept. The pool has one connection. */
async function notRefused(
  db: Kysely<Database>,
  statements: readonly { readonly what: string; readonly statement: RawBuilder<unknown> }[],
): Promise<string[]> {
  await sql`
    create function pg_temp.outcome(statement text) returns text language plpgsql as $$
    begin
      execute statement;
      raise exception using errcode = 'KEPT0';
    exception when others then
      return sqlstate;
    end
    $$`.execute(db)
  const texts = statements.map(({ statement }) => statement.compile(db).sql)
  const { rows } = await sql<{ outcome: string }>`
    select pg_temp.outcome(statement) as outcome
    from unnest(${texts}::text[]) with ordinality as one (statement, number) order by number`.execute(db)
  return statements.flatMap(({ what }, index) => {
    const outcome = rows[index]?.outcome ?? ''
    return outcome === insufficientPrivilege || outcome === notUpdatable ? [] : [what]
  })
}

/** All tables and views of the archive, each with its last column. */
async function relationsOf(db: Kysely<Database>) {
  const { rows } = await sql<{ schema: string; name: string; column: string; isView: boolean }>`
    select n.nspname as schema, c.relname as name, a.attname as column, c.relkind = 'v' as "isView"
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = c.relnatts
    where n.nspname = any (${schemas}::text[]) and c.relkind in ('r', 'v')
    order by 1, 2`.execute(db)
  return rows
}

/** Of the schemas and all that is in them: each owner, with something that is its own. */
async function ownersOf(db: Kysely<Database>): Promise<Record<string, string>> {
  const { rows } = await sql<{ owner: string; example: string }>`
    with own as (select oid, nspname, nspowner from pg_namespace where nspname = any (${schemas}::text[]))
    select pg_get_userbyid(owner)::text as owner, max(name) as example from (
      select nspowner as owner, nspname::text as name from own
      union all select relowner, oid::regclass::text from pg_class where relnamespace in (select oid from own)
      union all select proowner, oid::regprocedure::text from pg_proc where pronamespace in (select oid from own)
    ) as owned
    group by owner`.execute(db)
  return Object.fromEntries(rows.map(({ owner, example }) => [owner, example]))
}
