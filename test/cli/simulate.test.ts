import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createTestDatabase, type TestDatabase } from '../support/database'

let cli: CommandLine
let database: TestDatabase
beforeAll(async () => {
  ;[cli, database] = await Promise.all([installCommandLine(), createTestDatabase()])
})
afterAll(async () => {
  await cli?.remove()
  await database?.drop()
})

test('what simulate prints is what a user runs in another shell, and Ctrl-C ends it with a whole log', async () => {
  const scenario = join(cli.directory, 'dist', 'scenario.json')
  await writeFile(scenario, '{"rooms": [{"roomId": 5000000001, "members": 2500}, {"members": 30}]}')
  const log = join(cli.directory, 'dist', 'requests.jsonl')
  const simulator = cli.start(['simulate', '--port', '0', '--scenario', scenario, '--log', log])
  const [script] = await simulator.printed(
    /^export LCIC_ENDPOINT=.*\nexport .*\nexport LCIC_SDK_APP_IDS=.*\nnpx lcic-archive sweep .*$/m,
  )

  const { exitCode, stdout } = await cli.shell(script.replaceAll('npx ', ''), { env: { DATABASE_URL: database.url } })
  expect(stdout).toMatch(/^2 rooms archived; 4 requests, 2,530 members/m)
  expect(exitCode).toBe(0)

  simulator.signal('SIGINT')
  const ended = await simulator.ended
  expect(ended).toMatchObject({ exitCode: 0, stdout: `${script}\n` })
  expect(ended.stderr).toMatch(/^5 requests served, at most [1-5] in any second\.$/m)
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
  const entries = lines.map((line): { outcome: string } => JSON.parse(line))
  expect(entries.map(({ outcome }) => outcome)).toEqual(['OK', 'OK', 'OK', 'OK', 'OK'])
  expect(entries).toContainEqual(expect.objectContaining({ roomId: '5000000001', page: 3, records: 500 }))
})

test('simulate --json describes itself in one document; a port that is taken ends with 2', async () => {
  const simulator = cli.start(['simulate', '--json', '--port', '0', '--rooms', '2', '--seed', '5'])
  await simulator.printed(/^}\n/m)
  simulator.signal('SIGTERM')
  const { exitCode, stdout } = await simulator.ended
  expect(exitCode).toBe(0)
  const { endpoint, rooms, sdk_app_id } = JSON.parse(stdout)
  expect(sdk_app_id).toBe(1400000001)
  expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(rooms).toContainEqual({ room_id: expect.any(Number), name: 'Assembly', fate: 'held', members: 2500 })

  const { port } = new URL(database.url)
  const taken = await cli.run(['simulate', '--port', port])
  expect(taken).toMatchObject({ exitCode: 2, stdout: '' })
  expect(taken.stderr).toMatch(new RegExp(`^lcic-archive: --port ${port}: .*in use.*\\n$`))
  const unwritable = await cli.run(['simulate', '--port', '0', '--log', '/nowhere/requests.jsonl'])
  expect(unwritable).toMatchObject({ exitCode: 2, stdout: '' })
  expect(unwritable.stderr).toMatch(/^lcic-archive: --log: \/nowhere\/requests\.jsonl cannot be written: /)
})
