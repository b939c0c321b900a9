import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ScfStub, startScfStub } from './scf-stub'

const checkout = join(import.meta.dirname, '..', '..')
let place: string
let stub: ScfStub

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'lcic-archive-serverless-'))
  for (const name of ['lib', 'functions', 'migrations', 'package.json', 'tsconfig.json', 'serverless.yml']) {
    await cp(join(checkout, name), join(place, name), { recursive: true })
  }
  await symlink(join(checkout, 'node_modules'), join(place, 'node_modules'))
  stub = await startScfStub()
  stub.looks = 0
})

afterAll(async () => {
  await stub.close()
  await rm(place, { recursive: true })
})

/** The real command, with nothing else in its environment. */
function serverless(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = join(checkout, 'node_modules', 'serverless', 'bin', 'serverless.js')
  return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
    const { PATH = '' } = process.env
    const options = { cwd: place, env: { PATH, HOME: place, SLS_TELEMETRY_DISABLED: '1', ...env } }
    const child = execFile(process.execPath, [program, ...args], options, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr })
    })
  })
}

const secrets = ['stub-secret-key', 'db-secret', 'callback-secret', 'migrator-secret', 'pseudonym-secret']

const privacy = { ARCHIVE_PERSONAL_DATA: 'pseudonymise', ARCHIVE_PSEUDONYM_KEY: 'the pseudonym-secret' }

const account = () => ({
  TENCENTCLOUD_SECRET_ID: stub.credentials.secretId,
  TENCENTCLOUD_SECRET_KEY: stub.credentials.secretKey,
  TENCENTCLOUD_SCF_ENDPOINT: stub.endpoint.origin,
  DATABASE_URL: 'postgres://writer:db-secret@db/lcic',
  MIGRATOR_DATABASE_URL: 'postgres://migrator:migrator-secret@db/lcic',
  LCIC_SDK_APP_IDS: '1400000001,1400000002',
  LCIC_CALLBACK_KEY: 'callback-secret',
  ...privacy,
  LCIC_ARCHIVE_ROLE: 'lcic-archive',
  LCIC_ARCHIVE_VPC_ID: 'vpc-1',
  LCIC_ARCHIVE_SUBNET_ID: 'subnet-1',
})

test('serverless.yml deploys, does nothing when run again, and is removed; no command tells a secret', async () => {
  const first = await serverless(['deploy', '--stage', 'prod'], account())
  expect(first).toMatchObject({ exitCode: 0 })
  expect([...stub.functions.keys()].sort()).toEqual(
    ['archive-rooms', 'migrate', 'room-ended', 'sweep-rooms'].map((name) => `lcic-archive-prod-${name}`),
  )
  const variables = (name: string) =>
    Object.fromEntries(
      stub.functions.get(`lcic-archive-prod-${name}`)?.Environment.Variables.map(({ Key, Value }) => [Key, Value]) ??
        [],
    )
  expect(variables('migrate')).toEqual({ DATABASE_URL: 'postgres://migrator:migrator-secret@db/lcic' })
  expect(variables('room-ended')).toEqual({
    DATABASE_URL: 'postgres://writer:db-secret@db/lcic',
    LCIC_CALLBACK_KEY: 'callback-secret',
    LCIC_SDK_APP_IDS: '1400000001,1400000002',
    ...privacy,
  })
  expect(variables('archive-rooms')).toEqual({ DATABASE_URL: 'postgres://writer:db-secret@db/lcic', ...privacy })
  expect(variables('sweep-rooms')).toMatchObject(privacy)
  expect(first.stdout).toContain('Callback URL: https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com')
  expect(first.stdout).toContain(
    `tccli lcic ModifyApp --SdkAppId 1400000002 --Callback 'https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com' --CallbackKey "$LCIC_CALLBACK_KEY"`,
  )

  const planned = JSON.parse(await readFile(join(place, '.serverless', 'plan.json'), 'utf8'))
  expect(planned.requests.map(({ action }: { action: string }) => action)).toEqual(
    stub.requests.map(({ action }) => action).filter((action) => !/^(Get|List)/.test(action)),
  )

  stub.forget()
  const stage = ['--stage', 'prod']
  const [again, packaged, printed] = await Promise.all([
    serverless(['deploy', ...stage], account()),
    serverless(['package', ...stage, '--package', join(place, 'packaged')], account()),
    serverless(['print', ...stage], account()),
  ])
  expect(again).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('nothing was changed') })
  expect(packaged).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing would change.') })
  expect(printed.stdout).toContain('DATABASE_URL: (hidden)')
  expect(stub.writes()).toEqual([])
  const plan = await readFile(join(place, 'packaged', 'plan.json'), 'utf8')
  const everything = [first, again, packaged, printed].map(({ stdout, stderr }) => stdout + stderr).join('') + plan
  expect(secrets.filter((secret) => everything.includes(secret))).toEqual([])

  expect(await serverless(['remove', ...stage], account())).toMatchObject({ exitCode: 0 })
  expect(stub.functions.size).toBe(0)
})

test('a wrong configuration and missing variables end a deployment with what to mend, before anything is asked', async () => {
  stub.forget()
  const text = await readFile(join(checkout, 'serverless.yml'), 'utf8')
  await writeFile(join(place, 'wrong.yml'), text.replace('memorySize: 128', 'memorySize: 100'))
  const [wrong, missing] = await Promise.all([
    serverless(['deploy', '-c', 'wrong.yml'], account()),
    serverless(['deploy'], { LCIC_CALLBACK_UNSIGNED: 'accept', DATABASE_URL: 'postgres://db/lcic' }),
  ])
  expect(wrong.exitCode).toBe(1)
  expect(wrong.stdout).toContain(
    'provider.memorySize: is 100; must be 64, or a multiple of 128 from 128 to 3072 (MB), for example 128 [E_SERVERLESS_YML]',
  )
  expect(missing.exitCode).toBe(1)
  expect(missing.stdout).toMatch(
    /Variables are missing that deployed functions need:\n {2}functions\.sweep-rooms\.environment\.LCIC_SDK_APP_IDS: is not set, for example export LCIC_SDK_APP_IDS=1400000001 \[/,
  )
  expect(stub.requests).toEqual([])
})
