import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrateDown } from '../../lib/db/migrate'
import type { SimulatedRoom } from '../../lib/simulator'
import { migrations } from '../../migrations'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createEmptyDatabase, createTestDatabase, type PostgresVersion } from '../support/database'
import { expectTruth } from '../support/truth'

let cli: CommandLine
let archive: TestArchive
let rooms: readonly SimulatedRoom[]
beforeAll(async () => {
  ;[cli, archive] = await Promise.all([installCommandLine(), openTestArchive()])
  rooms = [5, 0, 1001].map((members) => archive.school.addRoom({ members }))
  for (const { roomId } of rooms) await archive.archive(roomId)
})
afterAll(async () => {
  await cli?.remove()
  await archive?.close()
})

const names = Object.keys(migrations)

const run = (...args: string[]) => cli.run(args, { env: { DATABASE_URL: archive.url } })

describe.each<PostgresVersion>([18, 12])('migrate on PostgreSQL %i', (version) => {
  test('six at once on an empty database bring it up once; then it is taken back and lists what it lacks', async () => {
    const { url, db, drop } = await createEmptyDatabase(version)
    const migrate = (...args: string[]) => cli.run(['migrate', ...args], { env: { DATABASE_URL: url } })
    const six = await Promise.all(Array.from({ length: 6 }, () => migrate('--json')))
    expect(six.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0, 0])
    const applied = six.map(({ stdout }) => JSON.parse(stdout).applied)
    expect(applied.flat()).toEqual(names)
    const tables = async () => (await db.introspection.getTables()).filter(({ schema }) => schema === 'archive').length
    expect(await tables()).toBeGreaterThan(6)

    expect(await migrate()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing to do.\n') })
    const [newest, ...older] = [...names].reverse()
    expect(await migrate('down')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`took back ${newest}\n`),
    })
    for (const migrationName of older) expect(await migrateDown(db)).toMatchObject([{ migrationName }])
    expect(await tables()).toBeLessThanOrEqual(2)
    const status = await migrate('status', '--json')
    expect(status.exitCode).toBe(0)
    expect(JSON.parse(status.stdout).migrations).toEqual(names.map((name) => ({ name, applied_at: null })))
    await drop()
  })

  test('what would delete data is not taken back unless that is said', async () => {
    const { url, db, drop } = await createTestDatabase(version)
    const migrate = (...args: string[]) => cli.run(['migrate', ...args], { env: { DATABASE_URL: url } })
    await sql`
      insert into archive.rooms (room_id, total, revision, attempt, content_hash, archived_at, changed_at)
      values (1, 0, 1, 1, '', now(), now())`.execute(db)
    await sql`
      insert into archive.history (room_id, revision, user_id, replaced_at, old) values (1, 1, 'u', now(), '{}')`.execute(
      db,
    )
    await sql`insert into archive.course_rules ("by") values ('group')`.execute(db)
    await sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
    // 0008 and 0007 delete nothing.
    await migrateDown(db)
    await migrateDown(db)
    for (const loss of ['which rooms belong to which course, 1 rule,', 'who was erased, 1 row: ']) {
      expect((await migrate('down')).stderr).toContain(loss)
      expect((await migrate('down', '--yes')).exitCode).toBe(0)
    }
    for (let taken = 6; taken < names.length; taken++) await migrateDown(db)
    const kept = await migrate('down')
    expect(kept).toMatchObject({ exitCode: 2, stdout: '' })
    expect(kept.stderr).toMatch(
      /0002-nothing-missed deletes the values that later reads replaced, 1 row, and what LCIC lists, 0 rooms\./,
    )
    expect((await migrate('down', '--yes')).exitCode).toBe(0)
    const refused = await migrate('down')
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' })
    expect(refused.stderr).toMatch(/0001-archive deletes the whole archive, 1 room\. Make a dump/)
    expect((await migrate('down', '--yes')).exitCode).toBe(0)
    await drop()
  })
})

test('a role that may not create tables is told so by migrate, which ends with 2', async () => {
  const { url, db, drop } = await createEmptyDatabase()
  const role = `weak_${process.pid}`
  await sql`create role ${sql.id(role)} login password 'weak'`.execute(db)
  const weak = new URL(url)
  weak.username = role
  weak.password = 'weak'
  const { exitCode, stdout, stderr } = await cli.run(['migrate'], { env: { DATABASE_URL: weak.toString() } })
  await sql`drop role ${sql.id(role)}`.execute(db)
  await drop()
  expect(stderr).toMatch(/^lcic-archive: .*permission denied.*\n$/)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
})

test('replay --all rebuilds what is lost, and says what it changed; one that cannot be is named, and ends with 1', async () => {
  await sql`delete from archive.member_records where user_id in (select user_id from archive.member_records limit 400)`.execute(
    archive.db,
  )
  await sql`delete from archive.rooms where room_id = ${rooms[1]?.roomId}`.execute(archive.db)
  const all = await run('replay', '--all')
  expect({ ...all, stdout: all.stdout.split('\n').at(-2) }).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/^3 rooms replayed, [12] changed, in .* s; no request was sent\.$/),
    stderr: '',
  })
  for (const room of rooms) await expectTruth(archive.db, room)

  const unknown = await run('replay', '77', String(rooms[0]?.roomId), '--json')
  expect(unknown.exitCode).toBe(1)
  expect(JSON.parse(unknown.stdout)).toEqual({
    rooms: [
      expect.objectContaining({ room_id: Number(rooms[0]?.roomId), records: 5, inserted: 0, updated: 0, removed: 0 }),
    ],
    failures: [{ room_id: 77, message: expect.stringContaining('lcic-archive archive 77') }],
  })
})

test('sql answers with a table or a document on stdout, and the number of rows on stderr', async () => {
  const query =
    "select room_id, total, null as none, '2024-05-06 07:08:09.5+08'::timestamptz as at from archive.rooms order by 1"
  expect(await run('sql', query)).toMatchInlineSnapshot(`
    {
      "exitCode": 0,
      "stderr": "3 rows
    ",
      "stdout": " room_id      total    none    at                       
    ────────────────────────────────────────────────────────
     300000001    5                2024-05-05T23:08:09.500Z 
     300000002    0                2024-05-05T23:08:09.500Z 
     300000003    1001             2024-05-05T23:08:09.500Z 
    ",
    }
  `)
  const big = await run('sql', '--json', 'select 9223372036854775807 as big, 7::bigint as small where true')
  expect(JSON.parse(big.stdout)).toEqual([{ big: '9223372036854775807', small: 7 }])
  expect(await run('sql', 'select 1 where false')).toEqual({ exitCode: 0, stdout: '', stderr: '0 rows\n' })
})

test('sql shows a date as that date, whatever the time zone', async () => {
  const env = { DATABASE_URL: archive.url, TZ: 'Asia/Shanghai' }
  const { stdout } = await cli.run(['sql', "select '2024-05-06'::date as day"], { env })
  expect(stdout).toContain('2024-05-06')
})

test.each([
  'delete from archive.rooms where room_id = 300000001',
  'with gone as (delete from archive.rooms where room_id = 300000001 returning *) select * from gone',
  'select 1; delete from archive.rooms where room_id = 300000002',
  'commit; delete from archive.rooms where room_id = 300000003; begin',
])('sql refuses to write: %s', async (query) => {
  const count = async () => (await archive.db.selectFrom('archive.rooms').select('room_id').execute()).length
  const before = await count()
  const { exitCode, stdout } = await run('sql', query)
  expect({ rooms: await count(), exitCode, stdout }).toEqual({ rooms: before, exitCode: 2, stdout: '' })
})

test('sql shows columns of the same name each for itself', async () => {
  const query = "select 1 as a, 2 as a, 3 as b, E'tab\\there' as b"
  expect((await run('sql', query)).stdout.split('\n')[2]).toBe(' 1    2    3    tab here ')
  expect(JSON.parse((await run('sql', '--json', query)).stdout)).toEqual([{ a: 1, a_2: 2, b: 3, b_2: 'tab\there' }])
})

test('output that cannot be written ends with 2, whatever it says', async () => {
  const { exitCode, stderr } = await cli.shell('lcic-archive status > /dev/full', {
    env: { DATABASE_URL: archive.url },
  })
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: 'lcic-archive: the output cannot be written: ENOSPC: no space left on device, write\n',
  })
})

test('a database that lets nobody in is told with what helps, and ends with 3', async () => {
  const nameless = archive.url.replace(/[^/]*$/, 'nonesuch')
  const { exitCode, stderr } = await cli.run(['status'], { env: { DATABASE_URL: nameless } })
  expect(exitCode).toBe(3)
  expect(stderr).toMatch(/database "nonesuch" does not exist\. Create it, or check the name of the database/)
})

test('sql only reads', async () => {
  expect(await run('sql', 'delete from archive.runs')).toEqual({
    exitCode: 2,
    stdout: '',
    stderr:
      'lcic-archive: The query would change something, and this command only reads: cannot execute DELETE in a read-only transaction. [E_USAGE]\n',
  })
})

test('sql says what is wrong with a query in a line, and ends with 2', async () => {
  const { exitCode, stdout, stderr } = await run('sql', 'selec 1')
  expect(stderr).toMatch(/^lcic-archive: .*syntax error at or near "selec".*\n$/)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
})

test('nothing that comes from the database can steer the terminal, neither values nor titles', async () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\u009b31m\r\u0008\u202egnp.exe'
  await sql`update archive.member_records set user_name = ${evil}`.execute(archive.db)
  const { exitCode, stdout, stderr } = await run(
    'sql',
    `select user_name, 1 as "${evil}" from archive.member_records limit 2`,
  )
  expect(exitCode).toBe(0)
  expect(stdout).toContain('gnp.exe')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
})

test('a reader that has seen enough, such as head, ends the output without a crash', async () => {
  const query = "select repeat('x', 1000) as long from generate_series(1, 300)"
  const { exitCode, stdout, stderr } = await cli.shell(`lcic-archive sql "${query}" | head -n 1`, {
    env: { DATABASE_URL: archive.url },
  })
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^ long +\n$/) })
  expect(stderr).not.toContain('EPIPE')
})

test('sql and docs need no more than lcic_reader: schema analytics answers, the archive does not', async () => {
  const role = `analyst_${process.pid}`
  await sql`create role ${sql.id(role)} login password 'secret' in role lcic_reader`.execute(archive.db)
  const env = { DATABASE_URL: Object.assign(new URL(archive.url), { username: role, password: 'secret' }).toString() }
  const rooms = ['sql', '--json', 'select count(*) as rooms from analytics.dim_room']
  expect(JSON.parse((await cli.run(rooms, { env })).stdout)).toEqual([{ rooms: 3 }])
  expect(await cli.run(['sql', 'select * from archive.rooms'], { env })).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: expect.stringContaining('permission denied for schema archive'),
  })
  const page = await cli.run(['docs', '--format', 'html'], { env })
  expect(page).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^<!doctype html>.*fact_attendance/s) })
  expect(await cli.run(['docs', '--out', 'dictionary.md'], { env })).toMatchObject({ exitCode: 0, stdout: '' })
  expect(await readFile(join(cli.directory, 'dictionary.md'), 'utf8')).toMatch(/^# Data dictionary.*fact_attendance/s)
  expect(await cli.run(['docs', '--out', 'no/such/place.md'], { env })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/no\/such\/place.md.*no such file or directory/),
  })
  await sql`drop role ${sql.id(role)}`.execute(archive.db)
})

test('erase-member and prune say what they would delete, and what they have deleted', async () => {
  const { db, school } = archive
  const room = school.addRoom({ members: [{ UserId: 'gone-1', UserName: 'Gone' }, { UserId: 'here-1' }] })
  await archive.archive(room.roomId)
  const planned = await run('erase-member', 'gone-1', '--plan', '--json')
  const counts = {
    rooms: 1,
    member_records: 1,
    history: 0,
    raw_page_records: 1,
    rooms_taught: 0,
    mentions: 0,
    callbacks: 0,
  }
  expect(JSON.parse(planned.stdout)).toEqual({ plan: true, ...counts, unfinished_erasures: 0 })
  // One that was begun, and stopped.
  await sql`insert into archive.erasures (digests, erased_at) values ('{}', now())`.execute(db)
  expect(await run('erase-member', 'gone-1')).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/member records +1 \n.*records in raw pages +1 \n.*\nIn 1 room\. What LCIC sends/s),
    stderr: '1 erasure is not finished: run erase-member again for whom it was begun.\n',
  })
  expect(await run('erase-member', '')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is empty') })
  expect(await run('erase-member', 'x', '--app', 'mine')).toMatchObject({ exitCode: 2 })

  const env = { DATABASE_URL: archive.url, ARCHIVE_KEEP_RAW_PAGES: '30d', ARCHIVE_KEEP_MEMBERS: '365d' }
  await sql`update archive.raw_pages set fetched_at = now() - interval '31 days' where room_id = ${room.roomId}`.execute(
    db,
  )
  expect((await cli.run(['prune', '--plan'], { env })).stdout).toBe(
    `Members: 0 records and 0 raw pages of 0 rooms to be deleted, older than 365 days.
Raw pages: 1 raw page of 1 room to be deleted, older than 30 days.
Callbacks: 0 callbacks to be deleted, older than 90 days.
Nothing was deleted: that is done without --plan.
`,
  )
  expect(JSON.parse((await cli.run(['prune', '--json'], { env })).stdout)).toEqual({
    plan: false,
    members: { rooms: 0, member_records: 0, raw_pages: 0 },
    raw_pages: { rooms: 1, raw_pages: 1 },
    callbacks: 0,
  })
  expect((await run('prune')).stdout).toContain('Raw pages: kept for ever (ARCHIVE_KEEP_RAW_PAGES is off).')
  expect((await run('replay', '--all')).stdout).toContain('1 room passed over: prune has deleted their raw pages.')
})
