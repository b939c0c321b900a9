import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestArchive, type TestArchive } from '../support/archive'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createEmptyDatabase, type TestDatabase } from '../support/database'

let cli: CommandLine
let archive: TestArchive
let empty: TestDatabase
beforeAll(async () => {
  ;[cli, archive, empty] = await Promise.all([installCommandLine(), openTestArchive(), createEmptyDatabase()])
  await writeFile(join(cli.directory, 'dist', 'not.json'), '{"rooms": ')
  await writeFile(join(cli.directory, 'dist', 'typo.json'), '{"rooms": [{"member": 12}]}')
})
afterAll(async () => {
  await cli?.remove()
  await archive?.close()
  await empty?.drop()
})

/** A whole and right environment. */
function rightEnvironment() {
  const { endpoint, credentials } = archive.simulator
  return {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: endpoint,
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
  }
}

interface Misuse {
  readonly args: string
  readonly env?: Readonly<Record<string, string>>
  /** What is wrong, and what would be right. */
  readonly says: readonly [what: string, mend: string]
}

/** As one would write it in a shell. */
function lineOf({ args, env = {} }: Misuse): string {
  return [...Object.entries(env).map(([name, value]) => `${name}='${value}'`), 'lcic-archive', args].join(' ')
}

const misuses: readonly Misuse[] = [
  { args: 'archive', says: ["argument 'room_id'", '--help'] },
  {
    args: 'archive 12x',
    says: ['room_id', 'whole numbers from 1 to 9223372036854775807, such as 312345678'],
  },
  { args: 'archive 0', says: ['room_id', 'whole numbers from 1 to 9223372036854775807'] },
  { args: 'archive -1', says: ['room_id', 'whole numbers from 1 to 9223372036854775807'] },
  {
    args: 'archive 1 9223372036854775808',
    says: ['room_id', 'whole numbers from 1 to 9223372036854775807'],
  },
  { args: 'archive 1 --wait 5', says: ["'--wait <duration>' argument '5'", 'such as 30s, 2m or 1h'] },
  { args: 'archive 1 --wiat 5s', says: ["unknown option '--wiat'", '--wait'] },
  { args: 'archvie 1', says: ["unknown command 'archvie'", 'archive'] },
  { args: 'replay', says: ['Give either room ids or --all', '--all'] },
  { args: 'replay 1 --all', says: ['Give either room ids or --all', '--all'] },
  { args: 'sql', says: ['DATABASE_URL', 'give a query'] },
  { args: 'migrate sideways', says: ["'direction'", 'up, down, status'] },
  { args: 'simulate --port 70000', says: ["'--port <port>' argument '70000'", '0 to 65535'] },
  { args: 'simulate --scenario nowhere.json', says: ['--scenario: nowhere.json', 'no such file'] },
  { args: 'simulate --scenario dist/not.json', says: ['not valid JSON', '{"ordinaryRooms": 40'] },
  {
    args: 'simulate --scenario dist/typo.json',
    says: ['rooms[0]: Unrecognized key: "member"', 'correct its spelling'],
  },
  {
    args: 'archive 1',
    env: { DATABASE_URL: 'mysql://u:hidden@h/d' },
    says: ['DATABASE_URL', 'postgres://user:password@'],
  },
  { args: 'archive 1', env: { DATABASE_URL: 'hidden host' }, says: ['DATABASE_URL', 'postgres://user:password@'] },
  { args: 'archive 1', env: { LCIC_ENDPOINT: 'http://lcic.example' }, says: ['LCIC_ENDPOINT', 'https://lcic'] },
  { args: 'archive 1', env: { LCIC_REQUESTS_PER_SECOND: 'abc' }, says: ['LCIC_REQUESTS_PER_SECOND', 'for example 10'] },
  { args: 'archive 1', env: { LCIC_REQUESTS_PER_SECOND: '0' }, says: ['LCIC_REQUESTS_PER_SECOND', 'above 0'] },
  { args: 'archive 1', env: { LOG_LEVEL: 'loud' }, says: ['LOG_LEVEL', 'trace'] },
  { args: 'archive 1', env: { TENCENTCLOUD_SECRET_KEY: ' ' }, says: ['TENCENTCLOUD_SECRET_KEY', 'lcic-archive demo'] },
]

describe.concurrent('misuse ends with exit code 2, names what is wrong and what is right, and does nothing', () => {
  test.each(misuses.map((misuse) => [lineOf(misuse), misuse] as const))('%s', async (_, { args, env, says }) => {
    const { exitCode, stdout, stderr } = await cli.run(args.split(' '), { env: { ...rightEnvironment(), ...env } })
    for (const text of says) expect(stderr).toContain(text)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).not.toMatch(/ {4}at |hidden/)
  })
})

test('several mistakes in the environment are told at once', async () => {
  const env = { ...rightEnvironment(), LOG_LEVEL: 'loud', LCIC_REGION: 'Ap Guangzhou', DATABASE_CA: 'nowhere.pem' }
  const { exitCode, stderr } = await cli.run(['migrate'], { env })
  expect(exitCode).toBe(2)
  for (const name of ['LOG_LEVEL', 'LCIC_REGION', 'DATABASE_CA']) expect(stderr).toContain(`  ${name}: must be`)
})

test('a database that lacks migrations ends archive, replay and sql with exit code 2 and is left alone', async () => {
  const env = { ...rightEnvironment(), DATABASE_URL: empty.url }
  for (const args of [
    ['archive', '1'],
    ['replay', '--all'],
    ['sql', 'select 1'],
  ]) {
    const { exitCode, stdout, stderr } = await cli.run(args, { env })
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/lacks 0001-archive.* Run lcic-archive migrate/)
  }
  expect(await empty.db.introspection.getSchemas()).not.toContainEqual({ name: 'archive' })
})

describe.concurrent('what is out of reach ends with exit code 3, a hint, and no password', () => {
  test.each([
    ['a database that does not listen', (url: URL) => (url.port = '1'), 'ECONNREFUSED'],
    ['a database of another name', (url: URL) => (url.pathname = '/nowhere'), '"nowhere" does not exist'],
    ['a password that is not right', (url: URL) => (url.password = 'hidden'), 'password authentication failed'],
  ])('%s', async (_, change, reason) => {
    const url = new URL(archive.url)
    change(url)
    const { exitCode, stdout, stderr } = await cli.run(['archive', '1'], {
      env: { ...rightEnvironment(), DATABASE_URL: url.toString() },
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
    expect(stderr).toContain(reason)
    expect(stderr).toMatch(/Check .*DATABASE_URL|Create it, or check .*DATABASE_URL/)
    expect(stderr).not.toContain(url.password)
  })
})

test('after all that nobody was asked and nothing was begun', async () => {
  expect(archive.simulator.requests).toEqual([])
  expect(await archive.db.selectFrom('archive.jobs').selectAll().execute()).toEqual([])
  await expect(access(join(cli.directory, '.data'))).rejects.toThrow('ENOENT')
})
