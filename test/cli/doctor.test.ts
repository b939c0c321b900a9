import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { exitCodeOf, lineOf } from '../../lib/cli/doctor'
import { type Clock, systemClock } from '../../lib/clock'
import { readConfig } from '../../lib/config'
import { connect } from '../../lib/db/connect'
import type { Database } from '../../lib/db/tables'
import { type Checked, examine } from '../../lib/doctor'
import { runChecks } from '../../lib/doctor/check'
import { judgeBudget, judgeTls, judgeVersion } from '../../lib/doctor/judge-database'
import { startSimulator } from '../../lib/simulator'
import { migrations } from '../../migrations'
import { openTestArchive, type TestArchive } from '../support/archive'
import { certificate, certificateKey } from '../support/certificate'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createEmptyDatabase } from '../support/database'

const callbackKey = '8d1f2c7a90b34e65ac1780d2f9e35b46'
const password = 'a-password-nobody-may-see'
const suffix = randomUUID().slice(0, 8)
const [worker, reader] = [`worker_${suffix}`, `reader_${suffix}`]

let cli: CommandLine
let archive: TestArchive
/** All that doctor has said. */
const said: string[] = []

beforeAll(async () => {
  ;[cli, archive] = await Promise.all([installCommandLine(), openTestArchive({ limit: 1000 })])
  archive.school.addRoom({ members: 3 })
  for (const [role, group] of [
    [worker, 'lcic_writer'],
    [reader, 'lcic_reader'],
  ] as const)
    await sql`create role ${sql.id(role)} login password ${sql.lit(password)} in role ${sql.id(group)}`.execute(
      archive.db,
    )
})
afterEach(() => archive.simulator.setFaults(undefined))
afterAll(async () => {
  if (archive) for (const role of [worker, reader]) await sql`drop role if exists ${sql.id(role)}`.execute(archive.db)
  await cli?.remove()
  await archive?.close()
  const secrets = [password, callbackKey, archive.simulator.credentials.secretKey, 'wrong-key', 'short-key']
  expect(secrets.filter((secret) => said.some((text) => text.includes(secret)))).toEqual([])
})

/** A sound set-up, with changes; `undefined` takes a variable away. */
function environment(changes: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  const { endpoint, credentials } = archive.simulator
  const sound = {
    DATABASE_URL: urlOf({ username: worker, password }),
    LCIC_ENDPOINT: endpoint,
    LCIC_SDK_APP_IDS: String(archive.school.sdkAppId),
    LCIC_REQUESTS_PER_SECOND: '1000',
    LCIC_CALLBACK_KEY: callbackKey,
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
  }
  return Object.fromEntries(
    Object.entries({ ...sound, ...changes }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function urlOf(
  changes: Partial<Pick<URL, 'username' | 'password' | 'port' | 'hostname' | 'search'>>,
  url = archive.url,
): string {
  return Object.assign(new URL(url), changes).toString()
}

/** The machine's time, on which nobody waits. */
const clock: Clock = { now: systemClock.now, sleep: () => new Promise((resolve) => setImmediate(resolve)) }

async function checksOf(
  changes: Readonly<Record<string, string | undefined>> = {},
  { silenceMs, ...options }: { timeoutMs?: number; silenceMs?: number } = {},
): Promise<Checked[]> {
  const config = readConfig(environment(changes))
  let db: Kysely<Database> | undefined
  const openDatabase = async () => {
    const { databaseUrl: url = '', databaseCa: ca } = config
    db = connect({ url, ...(ca && { ca }), ...(silenceMs && { silenceMs }) })
    return db
  }
  const checks: Checked[] = []
  for await (const checked of examine({ config, openDatabase, clock, ...options })) checks.push(checked)
  await db?.destroy()
  said.push(JSON.stringify(checks))
  return checks
}

/** With what differs from run to run replaced. */
function steady(text: string): string {
  return text
    .replaceAll(suffix, '')
    .replaceAll(new URL(archive.url).pathname.slice(1), 'lcic')
    .replaceAll(/test_[0-9a-f]{32}/g, 'lcic')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:0')
    .replaceAll(/RequestId [0-9a-f-]{36}/g, 'RequestId …')
    .replaceAll(/ to [12] s$/gm, ' to 1 s')
}

/** Without what it says of a check that takes longer than two seconds, as any does on a machine that is busy enough. */
function withoutPatience(stderr: string): string {
  return stderr.replaceAll(/^\S+ takes a while …\n/gm, '')
}

/** What is not well, line by line, and the exit code. */
async function ailments(...args: Parameters<typeof checksOf>): Promise<string> {
  const checks = await checksOf(...args)
  const lines = checks.filter(({ status }) => status !== 'pass').map(lineOf)
  return steady([...lines, `exit code ${exitCodeOf(checks)}`].join('\n'))
}

/** A port on which nobody listens. */
async function deafPort(): Promise<string> {
  const server = await listening(createServer())
  const port = portOf(server)
  server.close()
  return port
}

async function listening(server: Server): Promise<Server> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

function portOf(server: Server): string {
  const address = server.address()
  return String(typeof address === 'object' ? address?.port : '')
}

describe('the command', () => {
  test('says of a sound set-up that all is well, line by line, and ends with 0', async () => {
    const { stdout, stderr, exitCode } = await cli.run(['doctor'], { env: environment() })
    said.push(stdout, stderr)
    expect({ stderr: withoutPatience(stderr), exitCode }).toEqual({ stderr: '', exitCode: 0 })
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "pass  credentials       present
      pass  database          127.0.0.1:0/lcic answers, as worker_
      pass  database tls      none, and none needed: the server is on this machine
      pass  database version  PostgreSQL 18
      pass  migrations        all applied
      pass  rights            worker_ may do what workers need, and no more
      pass  budget            1000 requests a second
      pass  api               127.0.0.1:0 answers, by plain HTTP on this machine
      pass  clock             as LCIC's, to 1 s
      pass  access            LCIC accepts the credentials
      pass  app 1400000001    LCIC lists its rooms: 1 in the last 24 hours
      pass  statistics        LCIC lets the credentials read statistics
      pass  callbacks         signed ones only, with a key that cannot be guessed

      All is well.
      "
    `)
  })

  test('prints one document with --json, says what to mend, and ends with 2 if something has to be', async () => {
    const env = environment({ TENCENTCLOUD_SECRET_KEY: 'wrong-key' })
    const { stdout, stderr, exitCode } = await cli.run(['doctor', '--json'], { env })
    said.push(stdout, stderr)
    expect({ stderr: withoutPatience(stderr), exitCode }).toEqual({ stderr: '', exitCode: 2 })
    const { healthy, checks } = JSON.parse(stdout)
    expect(healthy).toBe(false)
    expect(checks.filter(({ status }: Checked) => status !== 'pass')).toEqual([
      {
        name: 'access',
        status: 'fail',
        text: expect.stringMatching(/^LCIC says AuthFailure\.SignatureFailure: /),
        mend: 'Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.',
      },
      ...[`app ${archive.school.sdkAppId}`, 'statistics'].map((name) => ({
        name,
        status: 'skip',
        text: 'not looked at, because access failed',
        mend: null,
      })),
    ])
  })

  test('verifies the certificate of LCIC, by an authority of its own where NODE_EXTRA_CA_CERTS names one', async () => {
    const server = await listening(
      createTlsServer({ cert: certificate, key: certificateKey }, (_, response) => response.end()),
    )
    const authority = join(cli.directory, 'dist', 'authority.pem')
    await writeFile(authority, certificate)
    const env = environment({ LCIC_ENDPOINT: `https://127.0.0.1:${portOf(server)}` })
    const [trusting, blind] = await Promise.all(
      [{ NODE_EXTRA_CA_CERTS: authority }, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }].map(async (more) => {
        const { stdout } = await cli.run(['doctor'], { env: { ...env, ...more } })
        return /^.* api .*$/m.exec(steady(stdout))?.[0]
      }),
    )
    server.close()
    expect(trusting).toBe('pass  api               127.0.0.1:0 answers, TLSv1.3, certificate verified')
    expect(blind).toMatch(/^fail {2}api .* nobody verifies its certificate\. Unset NODE_TLS_REJECT_UNAUTHORIZED;/)
  })

  test('looks at the embedded database where DATABASE_URL names none, and ends with 3 if LCIC is out of reach', async () => {
    const env = environment({ DATABASE_URL: undefined, LCIC_ENDPOINT: `http://127.0.0.1:${await deafPort()}` })
    const { stdout, exitCode } = await cli.run(['doctor'], { env })
    said.push(stdout)
    expect(exitCode).toBe(3)
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "pass  credentials       present
      pass  database          the embedded one in .data/ answers, as lcic
      pass  database tls      none, and none needed: the server is on this machine
      pass  database version  PostgreSQL 18
      pass  migrations        all applied
      pass  rights            all: nobody else uses the embedded database
      pass  budget            1000 requests a second
      fail  api               127.0.0.1:0 does not answer: connect ECONNREFUSED 127.0.0.1:0. Check LCIC_ENDPOINT, the network, and firewalls or proxies in between.
      skip  clock             not looked at, because api failed
      skip  access            not looked at, because api failed
      skip  app 1400000001    not looked at, because api failed
      skip  statistics        not looked at, because api failed
      pass  callbacks         signed ones only, with a key that cannot be guessed

      13 checks: 1 failed, 4 not looked at.
      "
    `)
  })
})

describe('LCIC', () => {
  test('credentials that are absent are a finding, and the database is looked at all the same', async () => {
    expect(await ailments({ TENCENTCLOUD_SECRET_ID: undefined })).toMatchInlineSnapshot(`
      "fail  credentials       No Tencent Cloud credentials: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (and TENCENTCLOUD_SESSION_TOKEN for temporary ones). To see it work without an account, run: lcic-archive demo
      skip  budget            not looked at, because credentials failed
      skip  access            not looked at, because credentials failed
      skip  app 1400000001    not looked at, because credentials failed
      skip  statistics        not looked at, because credentials failed
      exit code 2"
    `)
  })

  test('a secret id that LCIC does not know', async () => {
    expect(await ailments({ TENCENTCLOUD_SECRET_ID: 'nobody' })).toMatchInlineSnapshot(`
      "fail  access            LCIC says AuthFailure.SecretIdNotFound: The SecretId is not found, please ensure that your SecretId is correct. (RequestId …). Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.
      skip  app 1400000001    not looked at, because access failed
      skip  statistics        not looked at, because access failed
      exit code 2"
    `)
  })

  test.each([
    [600, 'fail'],
    [-600, 'fail'],
    [40, 'warn'],
    [-40, 'warn'],
    [10, 'pass'],
  ])('a clock that LCIC sees %i s off is a %s', async (seconds, status) => {
    const { school, credentials } = archive.simulator
    const gatewayClock = { now: () => systemClock.now() + seconds * 1000 }
    const simulator = await startSimulator({ school, credentials, gatewayClock, requestsPerSecond: 0 })
    const checks = await checksOf({ LCIC_ENDPOINT: simulator.endpoint })
    await simulator.close()
    const found = checks.find(({ name }) => name === 'clock')
    expect(found?.status).toBe(status)
    const direction = seconds > 0 ? 'behind' : 'ahead of'
    const length = Math.abs(seconds) === 600 ? '10 min' : '(39|40|41) s'
    if (status !== 'pass') expect(found?.text).toMatch(new RegExp(`^this machine is ${length} ${direction} LCIC`))
    expect(exitCodeOf(checks)).toBe(status === 'fail' ? 2 : 0)
    if (status === 'fail') expect(checks.find(({ name }) => name === 'access')?.status).toBe('skip')
  })

  test('one that is down, one that never answers, and one that somebody else poses as are out of reach', async () => {
    expect(await ailments({ LCIC_ENDPOINT: `http://127.0.0.1:${await deafPort()}` })).toMatchInlineSnapshot(`
      "fail  api               127.0.0.1:0 does not answer: connect ECONNREFUSED 127.0.0.1:0. Check LCIC_ENDPOINT, the network, and firewalls or proxies in between.
      skip  clock             not looked at, because api failed
      skip  access            not looked at, because api failed
      skip  app 1400000001    not looked at, because api failed
      skip  statistics        not looked at, because api failed
      exit code 3"
    `)

    const silent = await listening(createServer())
    expect(await ailments({ LCIC_ENDPOINT: `http://127.0.0.1:${portOf(silent)}` }, { timeoutMs: 50 })).toContain(
      'fail  api               no answer within 0.05 s. Check the network.',
    )
    silent.close()

    const impostor = await listening(createTlsServer({ cert: certificate, key: certificateKey }))
    expect(await ailments({ LCIC_ENDPOINT: `https://127.0.0.1:${portOf(impostor)}` })).toContain(
      'fail  api               127.0.0.1:0 does not answer as itself: self-signed certificate. Something in between',
    )
    impostor.close()
  })

  test('rights that the credentials lack are named, with the mend', async () => {
    const refused = (action: string) =>
      archive.simulator.setFaults((request) =>
        request.action === action ? { kind: 'error', code: 'UnauthorizedOperation' } : undefined,
      )
    refused('GetRooms')
    expect(await ailments()).toMatchInlineSnapshot(`
      "fail  app 1400000001    LCIC says UnauthorizedOperation: A planned fault. (RequestId …). Grant lcic:DescribeRoomStatistics, lcic:GetRooms and lcic:DescribeRoom to the user or role that the credentials belong to.
      exit code 2"
    `)
    refused('DescribeRoomStatistics')
    expect(await ailments()).toMatch(
      /^fail {2}statistics .* of room \d+: UnauthorizedOperation\. Grant lcic:DescribeRoomStatistics, .*\nexit code 2$/,
    )
    // Of a room that is somebody else's it may be the right answer.
    expect(await ailments({ LCIC_SDK_APP_IDS: undefined })).toMatch(/\nwarn {2}statistics .*\nexit code 0$/)
    refused('DescribeRoom')
    expect(await ailments()).toMatch(/^warn {2}access .* who teaches them is not archived\. Grant .*\nexit code 0$/)
  })

  test('asked too often, LCIC is not called broken, and everybody slows down', async () => {
    archive.simulator.setFaults({ rate: 1, kinds: [{ kind: 'error', code: 'RequestLimitExceeded' }] })
    expect(await ailments()).toMatchInlineSnapshot(`
      "warn  access            not known: LCIC is asked too often already. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      warn  app 1400000001    not known: LCIC is asked too often already. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      warn  statistics        not known: LCIC is asked too often already. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      exit code 0"
    `)
    const { rows } = await sql<{ ahead: number }>`
      select extract(epoch from max(next_slot_at) - now())::float8 as ahead from archive.budgets`.execute(archive.db)
    expect(rows[0]?.ahead).toBeGreaterThan(0.5)
    await sql`delete from archive.budgets`.execute(archive.db)
  })

  test('each request takes a slot of the shared budget', async () => {
    await sql`delete from archive.budgets`.execute(archive.db)
    await checksOf()
    const { rows } = await sql<{ action: string; slots: number }>`
      select split_part(budget, ' ', 1) as action, in_minute + in_minute_before as slots from archive.budgets order by 1`.execute(
      archive.db,
    )
    expect(rows).toEqual(['DescribeRoom', 'DescribeRoomStatistics', 'GetRooms'].map((action) => ({ action, slots: 1 })))
  })
})

describe('the database', () => {
  test('one that is down, and one that does not let us in, are out of reach, and LCIC is looked at all the same', async () => {
    expect(await ailments({ DATABASE_URL: urlOf({ port: await deafPort() }) })).toMatchInlineSnapshot(`
      "fail  database          The database could not be reached: connect ECONNREFUSED 127.0.0.1:0. Check DATABASE_URL, the network, and that the server is up.
      skip  database tls      not looked at, because database failed
      skip  database version  not looked at, because database failed
      skip  migrations        not looked at, because database failed
      skip  rights            not looked at, because database failed
      skip  budget            not looked at, because database failed
      exit code 3"
    `)
    expect(await ailments({ DATABASE_URL: urlOf({ username: worker, password: 'wrong-key' }) })).toMatch(
      /^fail {2}database {10}The database could not be reached: password authentication failed .*\n[\s\S]*exit code 3$/,
    )
  })

  test('one that never answers is given up in time', async () => {
    const silent = await listening(createServer())
    const changes = { DATABASE_URL: `postgres://u@127.0.0.1:${portOf(silent)}/x` }
    expect(await ailments(changes, { timeoutMs: 50, silenceMs: 200 })).toMatch(
      /^fail {2}database {10}no answer within 0\.05 s\. [\s\S]*exit code 3$/,
    )
    silent.close()
  })

  test('migrations that are missing', async () => {
    const empty = await createEmptyDatabase()
    const found = await ailments({ DATABASE_URL: empty.url })
    expect(found.replace(Object.keys(migrations).join(', '), '…')).toMatchInlineSnapshot(`
      "fail  migrations        the database lacks …. Run lcic-archive migrate as a role that may create tables.
      skip  rights            not looked at, because migrations failed
      skip  budget            not looked at, because migrations failed
      exit code 2"
    `)
    await empty.drop()
  })

  test('a role that may do more than workers need', async () => {
    expect(await ailments({ DATABASE_URL: archive.url })).toMatchInlineSnapshot(`
      "warn  rights            lcic is a superuser. Let workers log in as another role: create role lcic_worker login password '…' in role lcic_writer; keep this one for lcic-archive migrate.
      exit code 0"
    `)
    await sql`grant delete on archive.jobs to ${sql.id(worker)}`.execute(archive.db)
    expect(await ailments()).toMatch(
      /^warn {2}rights .* may do what no worker needs: delete jobs\. Let workers log in as another role/,
    )
    await sql`revoke delete on archive.jobs from ${sql.id(worker)}`.execute(archive.db)
    await sql`grant select on archive.history to ${sql.id(worker)}`.execute(archive.db)
    expect(await ailments()).toMatch(/^warn {2}rights .* may do what no worker needs: select history\./)
    await sql`revoke select on archive.history from ${sql.id(worker)}`.execute(archive.db)
    await sql`grant create on schema archive to ${sql.id(worker)}`.execute(archive.db)
    expect(await ailments()).toMatch(/^warn {2}rights .* may create tables or schemas\./)
    await sql`revoke create on schema archive from ${sql.id(worker)}`.execute(archive.db)
    await sql`grant lcic_migrator to ${sql.id(worker)}`.execute(archive.db)
    expect(await ailments()).toMatch(/^warn {2}rights .* owns the tables, and may change and drop them\./)
    await sql`revoke lcic_migrator from ${sql.id(worker)}`.execute(archive.db)
  })

  test('a role that may do less, or may not even look', async () => {
    const DATABASE_URL = urlOf({ username: reader, password })
    expect(await ailments({ DATABASE_URL })).toMatch(
      /^fail {2}migrations {8}reader_ may not use schema archive\. Grant lcic_writer to reader_;/,
    )
    // Nor does it see the status.
    const { stderr, exitCode } = await cli.run(['status'], { env: environment({ DATABASE_URL }) })
    expect({ stderr: steady(stderr), exitCode }).toMatchInlineSnapshot(`
      {
        "exitCode": 2,
        "stderr": "lcic-archive: Role reader_ may not use schema archive. Grant it lcic_monitor, which is enough for status, or lcic_writer for commands that archive; lcic_reader is for the views of schema analytics. [E_RIGHTS]
      ",
      }
    `)
    await sql`grant lcic_monitor to ${sql.id(reader)}`.execute(archive.db)
    const found = await ailments({ DATABASE_URL })
    expect(found.replace(/and \d+ more/, 'and … more')).toMatchInlineSnapshot(`
      "fail  rights            reader_ may not do what workers need: delete raw_pages, insert budgets, insert callbacks, insert history, insert invocations and … more. Run lcic-archive migrate as the role that owns the archive, and grant lcic_writer to reader_.
      skip  budget            not looked at, because rights failed
      exit code 2"
    `)
    await sql`revoke lcic_monitor from ${sql.id(reader)}`.execute(archive.db)
  })

  test('a budget that is handed out further ahead than makes sense', async () => {
    await checksOf()
    await sql`update archive.budgets set next_slot_at = now() + interval '4 minutes'`.execute(archive.db)
    expect(await ailments()).toMatchInlineSnapshot(`
      "warn  budget            the next request can be sent in 240 s only: the clock of the database server has been ahead, or somebody with a far lower LCIC_REQUESTS_PER_SECOND shares the budget. Stop the workers, and as the role that owns the tables: delete from archive.budgets.
      warn  access            not asked: others use the whole budget for the next 5 s. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      warn  app 1400000001    not asked: others use the whole budget for the next 5 s. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      warn  statistics        not asked: others use the whole budget for the next 5 s. Try again when less is going on, or lower LCIC_REQUESTS_PER_SECOND.
      exit code 0"
    `)
    await sql`delete from archive.budgets`.execute(archive.db)
  })

  test('TLS is asked of the server', async () => {
    const { db } = archive
    const write = async (name: string, text: string) =>
      sql`copy (select ${sql.lit(text)}) to program ${sql.lit(`umask 077; printf '%b' "$(cat)" > ${name}`)}`.execute(db)
    await write('doctor.crt', certificate)
    await write('doctor.key', certificateKey)
    await sql`alter system set ssl_cert_file = 'doctor.crt'`.execute(db)
    await sql`alter system set ssl_key_file = 'doctor.key'`.execute(db)
    await sql`alter system set ssl = on`.execute(db)
    await sql`select pg_reload_conf()`.execute(db)
    const tls = async (mode: string, DATABASE_CA?: string) => {
      const url = urlOf({ username: worker, password, search: `?sslmode=${mode}` })
      const [, found] = (await checksOf({ DATABASE_URL: url, DATABASE_CA })).filter(({ name }) =>
        name.startsWith('database'),
      )
      return found && lineOf(found)
    }
    await expect
      .poll(() => tls('require'), { timeout: 20_000 })
      .toBe('pass  database tls      TLSv1.3, not verified: the server is on this machine')
    expect(await tls('verify-full', certificate)).toBe('pass  database tls      TLSv1.3, certificate and name verified')
    const own = await ailments({ DATABASE_URL: urlOf({ username: worker, password, search: '?sslmode=verify-full' }) })
    expect(own).toMatch(/^fail {2}database {10}The database could not be reached: self-signed certificate/)
    await sql`alter system reset ssl`.execute(db)
    await sql`alter system reset ssl_cert_file`.execute(db)
    await sql`alter system reset ssl_key_file`.execute(db)
    await sql`select pg_reload_conf()`.execute(db)
  })

  test.each([
    ['10.0.0.5', '', null, 'warn', 'none: passwords, names and addresses go to 10.0.0.5 in the clear'],
    ['10.0.0.5', '?sslmode=disable', null, 'warn', 'in the clear'],
    ['10.0.0.5', '?sslmode=require', 'TLSv1.3', 'warn', 'nobody verifies the certificate'],
    ['10.0.0.5', '?sslmode=verify-ca', 'TLSv1.3', 'warn', 'a certificate of a public authority'],
    ['10.0.0.5', '?sslmode=verify-full', 'TLSv1.3', 'pass', 'certificate and name verified'],
    ['10.0.0.5', '?sslmode=verify-full', null, 'warn', 'none from there to the server'],
    ['localhost', '', null, 'pass', 'the server is on this machine'],
    ['127.0.0.1', '?sslmode=require', 'TLSv1.2', 'pass', 'TLSv1.2, not verified: the server is on this machine'],
  ])('TLS to %s by %s, %s on the server: %s', (host, search, tls, status, text) => {
    const found = judgeTls({ url: `postgres://u:p@${host}/lcic${search}`, hasCa: false, tls })
    expect(found).toMatchObject({ status, text: expect.stringContaining(text) })
    expect(found.mend !== undefined).toBe(status !== 'pass')
  })

  test('verify-ca is enough where the authority is named', () => {
    const url = 'postgres://u:p@10.0.0.5/lcic?sslmode=verify-ca'
    expect(judgeTls({ url, hasCa: true, tls: 'TLSv1.3' })).toEqual({
      status: 'pass',
      text: 'TLSv1.3, certificate verified',
    })
  })

  test.each([
    [11, 'fail'],
    [12, 'pass'],
    [18, 'pass'],
    [19, 'warn'],
  ])('PostgreSQL %i: %s', (version, status) => {
    expect(judgeVersion(version).status).toBe(status)
  })

  test('more requests a second than LCIC allows, unless LCIC is simulated', () => {
    const budget = { requestsPerSecond: 21, backlogsMs: [] }
    expect(judgeBudget({ ...budget, isSimulated: false }).status).toBe('warn')
    expect(judgeBudget({ ...budget, isSimulated: true }).status).toBe('pass')
    expect(judgeBudget({ ...budget, requestsPerSecond: 20, isSimulated: false }).status).toBe('pass')
  })

  test('of a slow budget slots may be far ahead', () => {
    expect(judgeBudget({ requestsPerSecond: 0.5, isSimulated: false, backlogsMs: [240_000] })).toMatchObject({
      status: 'pass',
      text: expect.stringContaining('the next one can be sent in 240.0 s'),
    })
  })
})

test('callbacks: no key, unsigned ones, keys that can be guessed', async () => {
  const callbacks = async (changes: Readonly<Record<string, string | undefined>>) =>
    (await ailments(changes)).split('\n')[0]
  expect(await callbacks({ LCIC_CALLBACK_KEY: undefined })).toMatchInlineSnapshot(
    `"warn  callbacks         no key: all callbacks are refused, and rooms are found by sweeps alone. Set LCIC_CALLBACK_KEY to the key of the app's callback (ModifyApp, CallbackKey)."`,
  )
  expect(await callbacks({ LCIC_CALLBACK_UNSIGNED: 'accept' })).toMatchInlineSnapshot(
    `"warn  callbacks         unsigned ones are accepted beside signed ones: whoever finds the address can have rooms asked for, which uses up the budget. Unset LCIC_CALLBACK_UNSIGNED."`,
  )
  expect(await callbacks({ LCIC_CALLBACK_UNSIGNED: 'accept', LCIC_CALLBACK_KEY: undefined })).toMatchInlineSnapshot(
    `"warn  callbacks         unsigned ones are accepted: whoever finds the address can have rooms asked for, which uses up the budget. Set LCIC_CALLBACK_KEY to the key of the app's callback (ModifyApp, CallbackKey), and unset LCIC_CALLBACK_UNSIGNED."`,
  )
  expect(await callbacks({ LCIC_CALLBACK_KEY: 'short-key' })).toMatchInlineSnapshot(
    `"warn  callbacks         the key is so short or uniform that it can be guessed. Take a random one of 16 characters or more, such as openssl rand -hex 16 makes, for the app's callback and LCIC_CALLBACK_KEY."`,
  )
  expect(await callbacks({ LCIC_CALLBACK_KEY: 'a'.repeat(40) })).toMatch(/^warn {2}callbacks .* guessed/)
})

test('a check that takes longer than two seconds is told of, and none takes longer than it may; those that need it are skipped', async () => {
  vi.useFakeTimers()
  const slow: string[] = []
  const endless = { name: 'endless', look: () => new Promise<never>(() => undefined) }
  const after = { name: 'after', needs: ['endless'], look: () => Promise.reject(new Error('It was looked at.')) }
  const found: Checked[] = []
  const examined = (async () => {
    const options = { timeoutMs: 10_000, onSlow: (name: string) => slow.push(name) }
    for await (const checked of runChecks([endless, after], options)) found.push(checked)
  })()
  await vi.advanceTimersByTimeAsync(1_999)
  expect(slow).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(slow).toEqual(['endless'])
  await vi.advanceTimersByTimeAsync(8_000)
  await examined
  vi.useRealTimers()
  expect(found.map(({ name, status }) => [name, status])).toEqual([
    ['endless', 'fail'],
    ['after', 'skip'],
  ])
})

test('a signal ends it at once', async () => {
  const controller = new AbortController()
  const endless = { name: 'endless', look: () => new Promise<never>(() => undefined) }
  const examined = runChecks([endless], { timeoutMs: 10_000, signal: controller.signal }).next()
  controller.abort(new Error('enough'))
  await expect(examined).rejects.toThrow('enough')
})
