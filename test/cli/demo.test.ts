import { execFileSync } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandLine, installCommandLine } from '../support/command-line'

let cli: CommandLine
beforeAll(async () => {
  cli = await installCommandLine()
})
afterAll(() => cli?.remove())

test('the demo needs nothing, says that it is simulated, shows the classes within 30 s, and leaves no process', async () => {
  const startedAt = performance.now()
  // A DATABASE_URL and credentials are someone's own: they are not for the demo.
  const env = {
    DATABASE_URL: 'postgres://own@127.0.0.1:1/own',
    TENCENTCLOUD_SECRET_ID: 'own',
    TENCENTCLOUD_SECRET_KEY: 'own',
  }
  const { exitCode, stdout, stderr } = await cli.run(['demo'], { env })
  expect(performance.now() - startedAt).toBeLessThan(30_000)
  expect(stderr).not.toMatch(/ {4}at |"level"/)
  expect(exitCode).toBe(0)

  expect(stdout.split('\n')[0]).toMatch(/simulated classes: a stand-in for LCIC/)
  expect(stdout).toMatch(/^The sweep found 48 rooms, 47 of them ended\.$/m)
  expect(stdout).toMatch(
    /^45 rooms archived, 1 expired unused, 2 not yet; \d+ requests, [\d,]+ members in \d+\.\d s\.$/m,
  )
  // By day and app: ended, archived, waiting, expired, missing, failed, gap.
  expect(stdout).toMatch(/^ all days +47 +45 +1 +1 +0 +0 +0 $/m)
  expect(stdout).toMatch(
    /^Nothing is amiss: of the rooms that LCIC lists from .* to .* each is archived once it has ended, or .*\.$/m,
  )
  expect(stdout).toMatch(/^ +room +course +began +minutes +expected +attended +absent +late +% $/m)
  expect(stdout.match(/^ *\d{9,10} +\S.* +\d\d:\d\d +\d+ +\d+ +\d+ +\d* +\d+ +\d* $/gm)).toHaveLength(12)
  expect(stdout).toMatch(/^ +name +role +joined +quit +minutes +status +engagement $/m)
  expect(stdout).toMatch(/^ .* teacher +\d\d:\d\d +\d\d:\d\d +\d+ +$/m)
  expect(stdout).toMatch(/^ .* student +\d\d:\d\d +\d\d:\d\d +\d+ +(present|late|too short) +\d+\.\d $/m)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  expect(runningThere()).toEqual([])
  suggested = /npx lcic-archive sql --demo "(.+)"$/m.exec(stdout)?.[1] ?? ''
})

/** What the demo suggests to ask. */
let suggested = ''

test('what the demo suggests to ask is answered, and its PostgreSQL is there for others until Ctrl-C', async () => {
  const sqlDemo = cli.start(['sql', '--demo'])
  const [psql] = await sqlDemo.printed(/^PGPASSFILE=.*$/m)
  expect(psql).toMatch(/ -d demo$/)
  // Long enough for one that does not stay to be gone.
  expect(await cli.run(['sql', '--demo', 'select pg_sleep(0.5)'])).toMatchObject({ exitCode: 0 })
  const client = await connectAsToldBy(psql)
  const { exitCode, stdout } = await cli.run(['sql', '--demo', '--json', suggested])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toContainEqual({
    attendance_status_label: 'present',
    count: expect.any(Number),
    minutes: expect.any(String),
    hands: expect.any(Number),
  })
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await client.end()
  sqlDemo.signal('SIGINT')
  expect(await sqlDemo.ended).toMatchObject({ exitCode: 0 })
  expect(runningThere()).toEqual([])
  await expect(access(join(cli.directory, '.data', 'postgres', 'postmaster.pid'))).rejects.toThrow('ENOENT')
})

/** Connects as the command for psql says. */
async function connectAsToldBy(command: string): Promise<pg.Client> {
  const [, pgpass, host, port, user, database] =
    /^PGPASSFILE='(.*)' psql -h (\S+) -p (\d+) -U (\S+) -d (\S+)$/.exec(command) ?? []
  const password = (await readFile(join(cli.directory, pgpass ?? ''), 'utf8')).trim().split(':').at(-1)
  const client = new pg.Client({ host, port: Number(port), user, password, database })
  await client.connect()
  return client
}

/** Processes in whose command this test's directory stands: PostgreSQL's data are there, and the command line itself. */
function runningThere(): string[] {
  const processes = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n')
  return processes.filter((line) => line.includes(cli.directory))
}
