import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readLogs } from '../../lib/deploy/logs'
import { removeService } from '../../lib/deploy/remove'
import { apiOf, deploy, serviceOf, withStub } from './deployment'

const checkout = join(import.meta.dirname, '..', '..')

interface Policy {
  readonly version: string
  readonly statement: readonly { effect: string; action: readonly string[]; resource: readonly string[] }[]
}

async function actionsOf(name: string): Promise<string[]> {
  const { version, statement }: Policy = JSON.parse(
    await readFile(join(checkout, 'lib', 'deploy', 'policies', name), 'utf8'),
  )
  expect(version).toBe('2.0')
  for (const { effect, resource } of statement) {
    expect(effect).toBe('allow')
    expect(resource).not.toEqual([])
  }
  return statement.flatMap(({ action }) => action).sort()
}

/** CAM knows both ways of invoking a function by the name of the older. Source: SCF, policy syntax. */
const permissionOf = (action: string) => `scf:${action === 'Invoke' ? 'InvokeFunction' : action}`

test("the deployer's policy grants exactly what deployments, removal and logs ask for", async () => {
  await withStub(async (stub) => {
    const asked = new Set<string>()
    const note = () => {
      for (const { action } of stub.requests) asked.add(permissionOf(action))
    }
    for (const options of [{}, { worker: { events: [{ timer: { name: 'every-minute', cron: '5 * * * * * *' } }] } }]) {
      await deploy(stub, options)
      note()
    }
    await deploy(stub, {}, { code: 'exports.main_handler = 1' })
    await readLogs(apiOf(stub), { FunctionName: 'lcic-archive-test-worker', Namespace: 'default' }, {})
    await removeService(apiOf(stub), serviceOf(), () => undefined)
    note()
    // Giving a function a role is passing it on. Source: CAM, PassRole.
    expect(await actionsOf('deployer.json')).toEqual([...asked, 'cam:PassRole'].sort())
  })
})

test("the functions' policy grants exactly what their code asks for", async () => {
  const read = (...path: string[]) => readFile(join(checkout, ...path), 'utf8')
  const lcic = [...(await read('lib', 'lcic', 'client.ts')).matchAll(/\brequest\('(\w+)'/g)].map(
    ([, action]) => `lcic:${action}`,
  )
  const scf = [...(await read('lib', 'platform', 'start-worker.ts')).matchAll(/\bclient\.(\w+)\(/g)].map(
    ([, action = '']) => permissionOf(action),
  )
  expect(scf).toEqual(['scf:InvokeFunction'])
  expect(await actionsOf('functions-role.json')).toEqual([...new Set([...lcic, ...scf])].sort())
})
