import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { deploy, invoke, logs, migrate, previewDeployment, remove } from '../../lib/deploy/commands'
import { artifactsOf, type Functions, serviceOf, withStub } from './deployment'
import type { ScfStub } from './scf-stub'

afterEach(() => vi.unstubAllEnvs())

/** What a command writes: results, and remarks. */
function contextOf(stub: ScfStub | undefined, functions: Functions = {}) {
  vi.stubEnv('TENCENTCLOUD_SECRET_ID', stub?.credentials.secretId)
  vi.stubEnv('TENCENTCLOUD_SECRET_KEY', stub?.credentials.secretKey)
  vi.stubEnv('TENCENTCLOUD_SCF_ENDPOINT', stub?.endpoint.origin)
  if (stub) stub.looks = 0
  const results: string[] = []
  const remarks: string[] = []
  const remark = (text = '') => void remarks.push(text)
  const writers = {
    log: { notice: remark, warning: remark, success: remark },
    progress: { get: () => ({ update: () => undefined, remove: () => undefined }) },
    writeText: (text: string) => void results.push(text),
  }
  return { service: serviceOf(functions), writers, results, remarks }
}

test('invoke prints the answer and the end of the log, and fails when the function does', async () => {
  await withStub(async (stub) => {
    const context = contextOf(stub)
    await deploy(context, artifactsOf(context.service))
    context.results.length = 0
    stub.invoke = (_, event) => ({ RetMsg: event, Log: 'a line of its log' })
    await invoke(context, { function: 'worker', data: '{"RoomIds": ["1"]}' }, '/')
    await invoke(context, { function: 'lcic-archive-test-worker' }, '/')
    expect(context.results).toEqual(['{"RoomIds":["1"]}', '{}'])
    expect(context.remarks.at(-1)).toBe('a line of its log')

    stub.invoke = () => ({ RetMsg: '{"error":{"code":"E_EVENT","message":"The event cannot be read."}}' })
    // Nothing is being deployed.
    const failed = /^lcic-archive-test-migrate failed: The event cannot be read.*\(RequestId [^)]+\)\.$/s
    await expect(migrate(context)).rejects.toThrow(failed)
  })
})

test('invoke reads events from files, and refuses what is no JSON before it asks', async () => {
  await withStub(async (stub) => {
    const place = await mkdtemp(join(tmpdir(), 'lcic-archive-invoke-'))
    const context = contextOf(stub)
    await deploy(context, artifactsOf(context.service))
    await writeFile(join(place, 'event.json'), '{"From": "36h"}')
    stub.invoke = (_, event) => ({ RetMsg: event })
    await invoke(context, { function: 'worker', path: 'event.json' }, place)
    expect(context.results.at(-1)).toBe('{"From":"36h"}')
    await rm(place, { recursive: true })
    stub.forget()
    await expect(invoke(context, { function: 'worker', path: 'event.json' }, place)).rejects.toThrow('cannot be read')
    await expect(invoke(context, { function: 'worker', data: '{' }, place)).rejects.toThrow('The event is no JSON')
    await expect(invoke(context, { function: 'nobody' }, place)).rejects.toThrow('-f takes one of worker, migrate')
    expect(stub.requests).toEqual([])
  })
})

test('logs prints the last invocations, and says what it cannot do', async () => {
  await withStub(async (stub) => {
    const context = contextOf(stub)
    await deploy(context, artifactsOf(context.service))
    await logs(context, { function: 'worker', startTime: '30m', filter: 'failed' })
    expect(context.results.at(-1)).toMatch(/^[\d :-]+ r-1 done in 12 ms\n {2}\{"level":30\}\n {2}answer: \{\}$/)
    await expect(logs(context, { function: 'worker', tail: true })).rejects.toThrow('SCF has no stream of logs')
    await expect(logs(context, { function: 'worker', startTime: '2d' })).rejects.toThrow('no duration up to a day')
  })
})

test('a preview tells what would change, and changes nothing', async () => {
  await withStub(async (stub) => {
    const context = contextOf(stub)
    await deploy(context, artifactsOf(context.service))
    stub.forget()
    const changed = contextOf(stub, { worker: { timeout: 70 } })
    const { plans, isCompared } = await previewDeployment(changed, artifactsOf(changed.service))
    expect(isCompared).toBe(true)
    expect(plans.flatMap(({ steps }) => steps.map(({ why }) => why))).toEqual(['timeout 3 → 70 s'])
    expect(stub.writes()).toEqual([])
    await remove(context)
    expect(context.remarks.at(-1)).toBe('Removed 2 functions. The database is as it was.')
  })
})

test('without credentials, and without a network, a preview says so in a line and tells a first deployment', async () => {
  const context = contextOf(undefined)
  const first = await previewDeployment(context, artifactsOf(context.service))
  expect(first.isCompared).toBe(false)
  expect(context.remarks).toEqual([
    expect.stringMatching(/^Not compared with what is deployed: No Tencent Cloud credentials/),
  ])

  let address = ''
  await withStub(async ({ endpoint }) => {
    address = endpoint.origin
  })
  vi.stubEnv('TENCENTCLOUD_SECRET_ID', 'id')
  vi.stubEnv('TENCENTCLOUD_SECRET_KEY', 'key')
  vi.stubEnv('TENCENTCLOUD_SCF_ENDPOINT', address)
  const second = await previewDeployment(context, artifactsOf(context.service))
  expect(second.plans.flatMap(({ steps }) => steps.map(({ call }) => call.action))).toEqual([
    'CreateFunction',
    'UpdateFunctionEventInvokeConfig',
    'CreateFunction',
    'UpdateFunctionEventInvokeConfig',
  ])
  expect(context.remarks).toHaveLength(2)
  expect(context.remarks[1]).toMatch(/SCF could not be reached .*\[E_NETWORK\]$/)
})
