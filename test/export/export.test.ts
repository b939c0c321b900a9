import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import { to } from 'pg-copy-streams'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type ExportOptions, exportedTables, exportTables } from '../../lib/export'
import { exportError } from '../../lib/export/errors'
import { loadParquet } from '../../lib/export/parquet'
import { writePart } from '../../lib/export/write-part'
import { archivedAt, insertRooms, later, type Row, shanghai } from '../analytics/rows'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createTestDatabase, postgresVersions, type TestDatabase } from '../support/database'
import { insufficientPrivilege, login, refusalOf } from '../support/login'
import { askDuckDb, rowsOfFiles, rowsOfView } from './compared'
import { openNarrowProxy } from './narrow-proxy'

const start = shanghai('2026-03-02', '09:00:00')

/** Texts that a writer could stumble over. What LCIC sends as NUL is archived as U+FFFD. */
const texts = [
  '',
  ' ',
  '"quoted"',
  "O'Neil; --",
  '\\',
  '\uFFFD',
  'line\nbreak\ttab',
  '你好 😀👩‍🏫',
  '\u202Eمرحبا\u202C',
  'a'.repeat(3000),
  'null',
]

function room(roomId: string, at: Date | string | null, more: Row = {}): Row {
  const end = at instanceof Date ? later(at, 3600) : at
  return {
    room_id: roomId,
    sdk_app_id: '1400000001',
    name: 'Physics 7',
    teacher_id: 't1',
    real_start_at: at,
    real_end_at: end,
    ...more,
  }
}

function member(userId: string, more: Row = {}): Row {
  return { user_id: userId, extra: {}, role: 0, present_seconds: 1800, current_state: 2, ...more }
}

const rooms = [
  {
    // More members than fit a row group, more values than dictionaries begin with, and one that never changes.
    room: room('9007199254740993', start),
    members: Array.from({ length: 1100 }, (_, index) =>
      member(`s${index}`, {
        device: index % 3 === 0 ? null : index % 8,
        first_join_at: index % 5 === 0 ? null : later(start, index / 512),
        last_quit_at: index % 5 === 0 ? null : later(start, 1800 + index),
        hand_ups: index % 7,
        sub_group_ids: index % 4 === 0 ? null : index % 4 === 1 ? [] : [`g${index % 9}`, null, '', '😀'],
        camera: index % 2,
        mic: index % 3 === 0 ? null : 1,
      }),
    ),
  },
  {
    room: room('9223372036854775807', shanghai('2026-02-28', '23:59:59.999999'), { name: texts.join('|') }),
    members: texts.map((text, index) =>
      member(text || 'empty', {
        group_id: text,
        sub_group_ids: [text, `${text}2`],
        first_join_at: later(start, index),
      }),
    ),
  },
  { room: room('1', '1999-12-31T23:59:59.999999Z', { name: null, teacher_id: null }), members: [member('old')] },
  { room: room('2', '1969-07-20T20:17:40.000001Z'), members: [] },
  // Not a moment anyone teaches at, but one that LCIC's seconds can be mistaken for.
  { room: room('3', start), members: [member('far', { first_join_at: '33658-09-27T01:46:39.999999Z' })] },
  { room: room('4', null, { name: '' }), members: [member('a'), member('b', { role: null, present_seconds: null })] },
]

/** A file of each table for each month, and for the rooms without a start. */
const months = ['1969-07', '2000-01', '2026-02', '2026-03', null]

let directories: string
let cli: CommandLine
beforeAll(async () => {
  directories = await mkdtemp(join(tmpdir(), 'lcic-archive-export-'))
  cli = await installCommandLine()
})
afterAll(async () => {
  await cli?.remove()
  await rm(directories, { recursive: true, force: true })
})

let named = 0
const newDirectory = () => join(directories, `export-${++named}`)

function exportTo(directory: string, { url }: { url: string }, more: Partial<ExportOptions> = {}) {
  return exportTables({
    database: { url },
    directory,
    span: {},
    version: '1.2.3',
    now: Date.now,
    rowGroup: { rows: 400, bytes: 1e6 },
    ...more,
  })
}

async function expectEqual(directory: string, { db }: Pick<TestDatabase, 'db'>): Promise<void> {
  for (const table of exportedTables) expect(await rowsOfFiles(directory, table)).toEqual(await rowsOfView(db, table))
}

describe.each(postgresVersions)('on PostgreSQL %i', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
    await insertRooms(database.db, rooms)
  })
  afterAll(() => database?.drop())

  test('what DuckDB reads equals the views, row for row', async () => {
    const directory = newDirectory()
    const { written } = await exportTo(directory, database)
    expect(written).toHaveLength(months.length * exportedTables.length)
    expect(written.find(({ path }) => path === 'fact_attendance/month=2026-03/part-0.parquet')?.rows).toBe(1101)
    await expectEqual(directory, database)
  })
})

describe('of a database', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
    await insertRooms(database.db, rooms)
  })
  afterAll(() => database?.drop())

  test('a file says what it is, and its columns have the types that readers expect', async () => {
    const directory = newDirectory()
    await exportTo(directory, database)
    const file = join(directory, 'fact_attendance', 'month=2026-03', 'part-0.parquet')
    const pairs = await askDuckDb(
      `select decode(key) as key, decode(value) as value from parquet_kv_metadata('${file}')`,
    )
    expect(Object.fromEntries(pairs.map(({ key, value }) => [key, value]))).toEqual({
      'lcic_archive.table': 'fact_attendance',
      'lcic_archive.month': '2026-03',
      'lcic_archive.schema_version': '1',
      'lcic_archive.version': '1.2.3',
      'lcic_archive.time_zone': 'Asia/Shanghai',
      'lcic_archive.fingerprint': expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    const [about] = await askDuckDb(`select created_by, num_rows, num_row_groups from parquet_file_metadata('${file}')`)
    expect(about).toEqual({ created_by: 'lcic-archive version 1.2.3', num_rows: 1101n, num_row_groups: 3n })
    const columns = await askDuckDb(`
      select name, type, coalesce(logical_type, converted_type) as logical from parquet_schema('${file}')
      where name in ('room_id', 'user_id', 'start_date', 'role', 'is_student', 'present_ratio', 'first_join_at', 'first_join_at_local', 'element')`)
    expect(columns.map(({ name, type, logical }) => `${name}: ${type} ${logical}`)).toMatchInlineSnapshot(`
      [
        "room_id: INT64 null",
        "user_id: BYTE_ARRAY StringType()",
        "start_date: INT32 DateType()",
        "role: INT32 null",
        "is_student: BOOLEAN null",
        "element: BYTE_ARRAY StringType()",
        "first_join_at: INT64 TimestampType(isAdjustedToUTC=1, unit=TimeUnit(MILLIS=<null>, MICROS=MicroSeconds(), NANOS=<null>))",
        "first_join_at_local: INT64 TimestampType(isAdjustedToUTC=0, unit=TimeUnit(MILLIS=<null>, MICROS=MicroSeconds(), NANOS=<null>))",
        "present_ratio: DOUBLE null",
      ]
    `)
    const chunks = await askDuckDb(`
      select distinct compression, bool_and(stats_null_count is not null) as counted from parquet_metadata('${file}') group by 1`)
    expect(chunks).toEqual([{ compression: 'ZSTD', counted: true }])
    // Bounds let readers pass over row groups: they have to hold.
    const [bounded] = await askDuckDb(`
      select count(*) as n from '${file}' where first_join_at > '2026-03-02 01:00:02+00' and user_id = 's1099' and hand_ups = 0`)
    expect(bounded).toEqual({ n: 1n })
  })

  test('what the documents ask DuckDB is answered, in both languages', async () => {
    const directory = newDirectory()
    await exportTo(directory, database)
    for (const document of ['LAKEHOUSE.md', 'LAKEHOUSE.zh-CN.md']) {
      const text = await readFile(join(import.meta.dirname, '..', '..', document), 'utf8')
      const queries = [...text.matchAll(/^```sql\n(-- duckdb\n.*?)^```$/gms)].map(([, query = '']) => query)
      expect([document, queries.length]).toEqual([document, 3])
      for (const query of queries) {
        expect(await askDuckDb(query.replaceAll('/data/lcic', directory))).not.toEqual([])
      }
    }
  })

  test('columns whose values repeat, come in runs or are all different are written whole', async () => {
    // Whether a column repeats itself is decided early.
    const query = `
      select n, -n as "different", n / 30 as "in runs", n % 7 as "repeating", (n * 7919 % 5000)::int as "late",
        n * 2654435761 - 16000000000000 as "large", n || ' 你好' as "texts", 'room ' || n / 30 as "texts in runs",
        md5((n % 5000)::text) as "late texts", case when n < 5000 then n / 7.0::float8 else 0 end as "floats"
      from generate_series(1::bigint, 12000) as n`
    const path = join(newDirectory(), 'part-0.parquet')
    const client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
    await client.connect()
    const { fields, rows } = await client.query<Record<string, string>>(query)
    const columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
    await writePart(await loadParquet(), {
      ...{
        path,
        columns,
        metadata: [],
        createdBy: 'test',
        rowGroup: { rows: 10_000, bytes: 1e9 },
        onRows: () => undefined,
      },
      rows: client.query(to(`copy (${query}) to stdout (format binary)`)),
    })
    await client.end()
    const written = await askDuckDb(`select * from '${path}' order by n`)
    const plain = (row: Record<string, unknown>) =>
      Object.entries(row).map(([name, value]) => (name === 'floats' ? Number(value) : String(value)))
    expect(written.map(plain)).toEqual(rows.map(plain))
    const dictionaries = await askDuckDb(`
      select path_in_schema as name from parquet_metadata('${path}')
      where row_group_id = 0 and dictionary_page_offset is not null`)
    expect(dictionaries.map(({ name }) => name)).toEqual(['in runs', 'repeating', 'texts in runs', 'floats'])
  })

  test('only months that changed are written again, and those without rooms are removed', async () => {
    const directory = newDirectory()
    const { db } = database
    await using copy = await createCopy()
    const again = () => exportTo(directory, copy)
    await again()
    const unchanged = await again()
    expect(unchanged).toMatchObject({ written: [], removed: [] })
    expect(unchanged.unchanged).toHaveLength(15)

    // As a re-read does, as an erasure does, and as pruning does.
    const march = { paths: pathsOf('2026-03') }
    await sql`update archive.member_records set hand_ups = 99, changed_at = now() where user_id = 's7'`.execute(copy.db)
    await sql`update archive.rooms set revision = revision + 1, changed_at = now() where room_id = 9007199254740993`.execute(
      copy.db,
    )
    expect(outcome(await again())).toEqual({ written: march.paths, removed: [] })
    await sql`delete from archive.member_records where user_id = 's8'`.execute(copy.db)
    await sql`update archive.rooms set erased = erased + 1 where room_id = 9007199254740993`.execute(copy.db)
    expect(outcome(await again())).toEqual({ written: march.paths, removed: [] })
    await sql`delete from archive.member_records where room_id = 9223372036854775807`.execute(copy.db)
    await sql`update archive.rooms set members_pruned_at = now() where room_id = 9223372036854775807`.execute(copy.db)
    expect(outcome(await again())).toEqual({ written: pathsOf('2026-02'), removed: [] })
    await expectEqual(directory, copy)

    await sql`delete from archive.rooms where room_id in (1, 3)`.execute(copy.db)
    expect(outcome(await again())).toEqual({ written: march.paths, removed: pathsOf('2000-01') })
    expect(await readdir(join(directory, 'dim_room'))).not.toContain('month=2000-01')
    await expectEqual(directory, copy)

    // A file that is not whole, or whose like nobody wrote here, is written again.
    await truncate(join(directory, ...['dim_room', 'month=2026-02', 'part-0.parquet']), 100)
    expect(outcome(await again())).toEqual({ written: ['dim_room/month=2026-02/part-0.parquet'], removed: [] })
    // Whatever all rows depend on.
    await sql`update archive.settings set late_after_seconds = 1`.execute(copy.db)
    expect((await again()).written).toHaveLength(12)
    await sql`update archive.settings set time_zone = 'America/New_York'`.execute(copy.db)
    expect((await again()).timeZone).toBe('America/New_York')
    await expectEqual(directory, copy)
    expect(await rowsOfView(db, 'dim_room')).toHaveLength(6)

    async function createCopy() {
      const own = await createTestDatabase()
      await insertRooms(own.db, rooms)
      return Object.assign(own, { [Symbol.asyncDispose]: () => own.drop() })
    }
  })

  test('a span is of whole months, and what lies outside it stays', async () => {
    const directory = newDirectory()
    const spanned = (from?: Date | string, to?: Date | string) =>
      exportTo(directory, database, { span: { ...(from && { from }), ...(to && { to }) } })
    expect(outcome(await spanned('2026-02-10', '2026-03-01')).written).toEqual(pathsOf('2026-02'))
    // In Shanghai it is March already.
    expect(outcome(await spanned(new Date('2026-02-28T16:00:00Z'))).written).toEqual(pathsOf('2026-03'))
    expect(outcome(await spanned(undefined, '2000-01-02')).written).toEqual(
      [...pathsOf('1969-07'), ...pathsOf('2000-01')].sort(),
    )
    expect(outcome(await spanned('2030-01-01'))).toEqual({ written: [], removed: [] })
    expect(outcome(await exportTo(directory, database)).written).toEqual(pathsOf(null))
    await expectEqual(directory, database)
  })

  test('a role that may read schema analytics alone exports what it sees there', async () => {
    const directory = newDirectory()
    await using reader = await login(database, 'in role lcic_reader')
    const url = Object.assign(new URL(database.url), { username: reader.role, password: 'secret' }).toString()
    expect(await refusalOf(sql`select from archive.rooms`.execute(reader.db))).toBe(insufficientPrivilege)
    await exportTo(directory, { url })
    await expectEqual(directory, database)

    await sql`insert into archive.tenants values (${reader.role}, 1400000002)`.execute(database.db)
    const files = await filesOf(directory, '.parquet')
    await expect(exportTo(directory, { url })).rejects.toMatchObject({ code: 'E_EXPORT_EMPTY' })
    expect(await filesOf(directory, '.parquet')).toEqual(files)
    expect(await exportTo(newDirectory(), { url })).toMatchObject({ written: [] })
    await sql`delete from archive.tenants`.execute(database.db)
  })

  test('killed wherever, it leaves no file that is not whole, and the next run completes them', async () => {
    const directory = newDirectory()
    const env = { DATABASE_URL: database.url }
    let leftOver: string[] = []
    for (const bytes of [150_000, 400_000]) {
      await using proxy = await openNarrowProxy(database.url, bytes)
      const killed = cli.start(['export', '--out', directory], { env: { DATABASE_URL: proxy.url } })
      await proxy.isStuck
      // It has a file in hand once it has read what has come.
      await vi.waitFor(
        async () => expect(leftOver).not.toEqual(expect.arrayContaining(await filesOf(directory, '.tmp'))),
        { timeout: 20_000 },
      )
      leftOver = await filesOf(directory, '.tmp')
      killed.signal('SIGKILL')
      expect((await killed.ended).exitCode).toBe(null)
      for (const path of await filesOf(directory, '.parquet')) await askDuckDb(`select * from '${path}'`)
    }
    expect(leftOver).not.toEqual([])
    const { exitCode, stdout } = await cli.run(['export', '--out', directory, '--json'], { env })
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ directory, schema_version: '1', removed: [] })
    expect(await filesOf(directory, '.tmp')).toEqual([])
    await expectEqual(directory, database)
  })

  test('a database that goes away, and Ctrl-C, end it, and nothing is left over', async () => {
    const directory = newDirectory()
    for (const [stop, exitCode] of [
      ['cut', 3],
      ['SIGINT', 130],
    ] as const) {
      await using proxy = await openNarrowProxy(database.url, 200_000)
      const running = cli.start(['export', '--out', directory], { env: { DATABASE_URL: proxy.url } })
      await proxy.isStuck
      if (stop === 'cut') proxy.cut()
      else running.signal(stop)
      expect(await running.ended).toMatchObject({ exitCode, stdout: '' })
    }
    expect(await filesOf(directory, '.tmp')).toEqual([])
  })

  test('two at once do each other no harm', async () => {
    const directory = newDirectory()
    await Promise.all([exportTo(directory, database), exportTo(directory, database)])
    await expectEqual(directory, database)
    expect(await filesOf(directory, '.tmp')).toEqual([])
  })

  test('a directory that cannot be written to, and one that is full, are named with what helps', async () => {
    const file = newDirectory()
    await writeFile(file, '')
    // A file system that takes no directories.
    const virtual = process.platform === 'linux' ? ([['/proc/x/y', 'ENOENT']] as const) : []
    for (const [directory, code] of [[join(file, 'x'), 'ENOTDIR'], [file, 'EEXIST'], ...virtual] as const) {
      const { exitCode, stderr } = await cli.run(['export', '--out', directory], {
        env: { DATABASE_URL: database.url },
      })
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: `lcic-archive: ${directory} cannot be written to (${code}). Name a directory that this user may create files in. [E_EXPORT_DIRECTORY]\n`,
      })
    }
    const reversed = await cli.run(['export', '--out', file, '--from', '2026-03-02', '--to', '2026-03-02'], {
      env: { DATABASE_URL: database.url },
    })
    expect(reversed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('[E_USAGE]') })
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    })
    expect(exportError(full, '/data')).toMatchObject({ code: 'E_EXPORT_SPACE', cause: full })
    expect(exportError(archivedAt, '/data')).toBe(archivedAt)
    expect((await stat(file)).size).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('')
  })
})

function pathsOf(month: string | null): string[] {
  return exportedTables.map((table) => `${table}/month=${month ?? '__HIVE_DEFAULT_PARTITION__'}/part-0.parquet`).sort()
}

function outcome({ written, removed }: { written: readonly { path: string }[]; removed: readonly string[] }) {
  return { written: written.map(({ path }) => path).sort(), removed: [...removed].sort() }
}

async function filesOf(directory: string, ending: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.filter((name) => name.endsWith(ending)).map((name) => join(directory, name))
}
