import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sweep } from '../../lib/archive/sweep'
import { work } from '../../lib/archive/work'
import { viewSchemas } from '../../lib/db/rights'
import type { Database } from '../../lib/db/tables'
import type { School } from '../../lib/simulator'
import { openTestArchive, type TestArchive } from '../support/archive'
import { postgresVersions } from '../support/database'
import { insufficientPrivilege, login, refusalOf } from '../support/login'

/** The apps of two schools; what belongs to the second says so in each of its texts. */
const [ours, theirs] = [1_400_000_001, 1_400_000_002]
const days = 86_400

interface View {
  readonly schema: string
  readonly name: string
  readonly hasApp: boolean
}

/** Classes of two schools, some of whose members are the same; every view has rows of both. */
function fill(school: School): void {
  const now = Math.floor(Date.now() / 1000)
  for (let week = 0; week < 5; week++) {
    const scheduledEndAt = now - 3600 - week * 7 * days
    const room = school.addRoom({ members: 25, name: `Geometry (Lesson ${5 - week})`, scheduledEndAt })
    if (week > 1) continue
    const common = { sdkAppId: theirs, name: `Secret ${week}`, teacherId: 'secret-teacher' }
    school.addRoom({ ...common, members: 20, scheduledEndAt: scheduledEndAt - 35 * days })
    const members = room.members.map((member, index) =>
      index % 2 === 0 ? member : { ...member, UserId: `secret-${index}`, GroupId: 'secret-group' },
    )
    school.addRoom({ ...common, members, scheduledEndAt, figures: { PeakMemberNumber: 1 } })
  }
  // Not archived.
  for (const sdkAppId of [ours, theirs]) school.addRoom({ sdkAppId, notReadyAnswers: 1000 })
}

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let archive: TestArchive
  let views: readonly View[]
  beforeAll(async () => {
    archive = await openTestArchive({ version })
    const { db, context, school } = archive
    fill(school)
    for (const [app, pattern] of [
      [ours, 'class-99'],
      [theirs, 'secret-group'],
    ] as const)
      await sql`insert into archive.course_rules (sdk_app_id, "by", pattern) values (${app}, 'group', ${pattern})`.execute(
        db,
      )
    const apps = { sdkAppIds: [BigInt(ours), BigInt(theirs)], lookbackMs: 76 * 3_600_000 }
    await sweep(context, { ...apps, span: { from: new Date(Date.now() - 50 * days * 1000), to: new Date() } })
    await sweep(context, apps)
    await work(context, { until: 'nothing_due', roomsAtOnce: 4 })
    await sql`analyze`.execute(db)
    views = await viewsOf(db)
  })
  afterAll(() => archive?.close())

  test('a login in lcic_reader reads every view of analytics; no name, address or place is in any value, and each is in analytics_pii', async () => {
    const personal = personalTexts(archive.school)
    await using reader = await login(archive, 'in role lcic_reader')
    const found: string[] = []
    for (const view of views.filter(({ schema }) => schema === 'analytics')) {
      const text = (await rowsOf(reader.db, view)).join('\n').toLowerCase()
      expect(text, view.name).not.toBe('')
      found.push(...personal.filter((one) => text.includes(one)).map((one) => `${one} in ${view.name}`))
    }
    expect(found).toEqual([])

    const personalViews = views.filter(({ schema }) => schema === 'analytics_pii')
    for (const view of personalViews) expect(await refusalOf(rowsOf(reader.db, view))).toBe(insufficientPrivilege)
    await sql`grant lcic_pii_reader to ${sql.id(reader.role)}`.execute(archive.db)
    const texts = await Promise.all(personalViews.map((view) => rowsOf(reader.db, view)))
    const seen = texts.flat().join('\n').toLowerCase()
    expect(personal.length).toBeGreaterThan(200)
    expect(personal.filter((one) => !seen.includes(one))).toEqual([])
  })

  test('nor does it see more in another role, by what it makes itself, or in what the planner knows', async () => {
    await using reader = await login(archive, 'in role lcic_reader', { max: 1 })
    const { db } = reader
    for (const role of ['lcic_reader', 'none']) {
      await sql`set role ${sql.raw(role)}`.execute(db)
      for (const table of ['archive.member_records', 'archive.attendance', 'archive.tenants', 'analytics_pii.member']) {
        const name = sql.table(table)
        const ways = [
          sql`select * from ${name}`,
          sql`table ${name}`,
          sql`copy ${name} to stdout`,
          sql`create temp view peek as select * from ${name}`,
          sql`create temp table peek as select * from ${name}`,
          sql`create function pg_temp.peek() returns bigint language sql security definer as ${sql.lit(`select count(*) from ${table}`)}`,
          sql`do ${sql.lit(`begin perform count(*) from ${table}; end`)}`,
        ]
        for (const way of ways) expect(await refusalOf(way.execute(db))).toBe(insufficientPrivilege)
      }
    }
    const known = sql`select from pg_stats where schemaname in ('archive', 'analytics', 'analytics_pii')`
    expect((await known.execute(archive.db)).rows.length).toBeGreaterThan(50)
    expect((await known.execute(db)).rows).toEqual([])
  })

  test('a tenant sees the rows of its apps alone, in every view, as they are; nothing of another app is in any', async () => {
    await using tenant = await login(archive, 'in role lcic_reader, lcic_pii_reader')
    await using other = await login(archive, 'in role lcic_reader, lcic_pii_reader')
    await admit(tenant.role, ours)
    for (const view of views) {
      const all = await rowsOf(archive.db, view)
      const own = view.hasApp ? await rowsOf(archive.db, view, sql`v.sdk_app_id = ${ours}`) : undefined
      const seen = await rowsOf(tenant.db, view)
      if (own) expect([view.name, seen]).toEqual([view.name, own])
      expect(own?.length ?? 1, view.name).toBeGreaterThan(0)
      expect(own?.length ?? 0, view.name).toBeLessThan(all.length)
      expect(seen.join('\n'), view.name).not.toMatch(new RegExp(`secret|${theirs}`, 'i'))
      // Who is not listed sees all.
      expect([view.name, await rowsOf(other.db, view)]).toEqual([view.name, all])
    }
    const earliest = sql<{ day: string }>`select min(date)::text as day from analytics.dim_date`
    const [[first], [firstOfAll]] = [(await earliest.execute(tenant.db)).rows, (await earliest.execute(other.db)).rows]
    expect(first?.day.localeCompare(firstOfAll?.day ?? '')).toBe(1)
  })

  test('nor does a tenant learn of them by errors, or by functions of its own that are called early', async () => {
    await using tenant = await login(archive, 'in role lcic_reader, lcic_pii_reader', { max: 1 })
    await using other = await login(archive, 'in role lcic_reader, lcic_pii_reader', { max: 1 })
    await admit(tenant.role, ours)
    for (const { db } of [tenant, other]) {
      await sql`create temp table heard (what text)`.execute(db)
      await sql`
        create function pg_temp.hear(what text) returns boolean language plpgsql cost 0.0001 as $$
        begin
          insert into pg_temp.heard values (what);
          return true;
        end
        $$`.execute(db)
    }
    for (const { schema, name } of views.filter(({ hasApp }) => hasApp)) {
      const view = sql.id(schema, name)
      const fails = sql`select from ${view} v where 1 / (v.sdk_app_id - ${theirs}::bigint) is not null`
      const hears = sql`select from ${view} v where pg_temp.hear(v::text)`
      const heard = sql`select from heard where what like ${`%${theirs}%`}`
      const outcomes = async (db: Kysely<Database>) => {
        const failure = await refusalOf(fails.execute(db))
        await hears.execute(db)
        return { name, failure, heard: (await heard.execute(db)).rows.length > 0 }
      }
      expect(await outcomes(tenant.db)).toEqual({ name, failure: 'allowed', heard: false })
      // Where there is something to be learnt, one does.
      expect(await outcomes(other.db)).toEqual({ name, failure: divisionByZero, heard: true })
    }
  })

  test('a tenant keeps its limits in whatever role it goes on, and so do the members of a role that is listed', async () => {
    const { db } = archive
    await using group = await login(archive, 'in role lcic_reader')
    await using second = await login(archive, 'in role lcic_reader')
    await admit(group.role, ours)
    await admit(second.role, theirs)
    const memberships: Record<string, { attributes: string; grant?: string; apps: number[] }> = {
      itself: { attributes: '', apps: [ours] },
      inherits: { attributes: `in role ${group.role}`, apps: [ours] },
      'has to become it': { attributes: `noinherit in role ${group.role}`, apps: [ours] },
      both: { attributes: `in role ${group.role}, ${second.role}`, apps: [ours, theirs] },
      neither: { attributes: '', apps: [ours, theirs] },
      ...(version >= 16 && {
        'cannot become it': { attributes: '', grant: 'inherit true, set false', apps: [ours] },
        'only made it': { attributes: '', grant: 'admin true, inherit false, set false', apps: [ours, theirs] },
      }),
    }
    for (const [kind, { attributes, grant, apps }] of Object.entries(memberships)) {
      await using member = await login(archive, attributes, { max: 1 })
      await sql`grant lcic_reader to ${sql.id(member.role)}`.execute(db)
      if (kind === 'itself') await admit(member.role, ours)
      if (grant) await sql`grant ${sql.id(group.role)} to ${sql.id(member.role)} with ${sql.raw(grant)}`.execute(db)
      for (const role of ['none', 'lcic_reader', ...(kind === 'inherits' ? [group.role] : [])]) {
        // What it may read by itself is nothing.
        if (role === 'none' && attributes.startsWith('noinherit')) continue
        await sql`set role ${role === 'none' ? sql.raw(role) : sql.id(role)}`.execute(member.db)
        expect([kind, role, await appsSeen(member.db)]).toEqual([kind, role, apps])
      }
    }
    // An administrator sees all, and what a tenant sees in its role.
    await db.connection().execute(async (session) => {
      expect(await appsSeen(session)).toEqual([ours, theirs])
      await sql`set role ${sql.id(group.role)}`.execute(session)
      expect(await appsSeen(session)).toEqual([ours])
      await sql`reset role`.execute(session)
    })
    await expect(admit('mispelt', ours)).rejects.toThrow('There is no role mispelt')
  })

  async function admit(role: string, app: number): Promise<void> {
    await sql`insert into archive.tenants (role_name, sdk_app_id) values (${role}, ${app})`.execute(archive.db)
  }
})

const divisionByZero = '22012'

async function viewsOf(db: Kysely<Database>): Promise<View[]> {
  const { rows } = await sql<View>`
    select n.nspname as schema, c.relname as name,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'sdk_app_id') as "hasApp"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any (${viewSchemas}::text[])
    order by 1, 2`.execute(db)
  return rows
}

/** Each as the JSON of its values, in order. */
async function rowsOf(db: Kysely<Database>, { schema, name }: View, where = sql`true`): Promise<string[]> {
  const { rows } = await sql<{ row: unknown }>`
    select to_json(v) as row from ${sql.id(schema, name)} v where ${where} order by v::text collate "C"`.execute(db)
  return rows.map(({ row }) => JSON.stringify(row))
}

async function appsSeen(db: Kysely<Database>): Promise<number[]> {
  const { rows } = await sql<{ app: bigint }>`
    select distinct sdk_app_id as app from analytics.fact_attendance order by 1`.execute(db)
  return rows.map(({ app }) => Number(app))
}

/** All names, addresses and places, as they stand in JSON, but those that could be anything. */
function personalTexts({ rooms }: School): string[] {
  const texts = new Set<string>()
  for (const { members, notReadyAnswers } of rooms.values()) {
    if (notReadyAnswers > 0) continue
    for (const { UserName, IPAddress, Location } of members)
      for (const text of [UserName, IPAddress, Location])
        if (text && !['null', 'Unknown'].includes(text)) texts.add(JSON.stringify(text).slice(1, -1).toLowerCase())
  }
  return [...texts]
}
