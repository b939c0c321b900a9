import { expect, test } from 'vitest'
import { planFirstDeployment, readUrls } from '../../lib/deploy/deployment'
import { descriptionOf, readDescription } from '../../lib/deploy/description'
import { InterruptedError } from '../../lib/deploy/interruption'
import { planDocument } from '../../lib/deploy/plan-file'
import { removeService } from '../../lib/deploy/remove'
import { planLines } from '../../lib/deploy/report'
import { apiOf, artifactsOf, deploy, quick, serviceOf, silent, withStub } from './deployment'

const creation = [
  'CreateFunction migrate',
  'UpdateFunctionEventInvokeConfig migrate',
  'Invoke migrate',
  'UpdateFunctionConfiguration migrate',
  'CreateFunction worker',
  'UpdateFunctionEventInvokeConfig worker',
  'CreateTrigger worker',
  'CreateTrigger worker',
]

test('a first deployment creates functions, the migration first, and triggers last', async () => {
  await withStub(async (stub) => {
    expect(await deploy(stub)).toEqual(creation)
    const worker = stub.functions.get('lcic-archive-test-worker')
    expect(worker).toMatchObject({
      Status: 'Active',
      Handler: 'archive-rooms.main_handler',
      Environment: { Variables: [{ Key: 'DATABASE_URL', Value: 'postgres://u:secret@db/lcic' }] },
      PublicNetConfig: { PublicNetStatus: 'ENABLE' },
      files: { 'archive-rooms.js': 'exports.main_handler = async () => 1' },
    })
    expect(worker?.triggers).toMatchObject([
      { TriggerName: 'every-minute', TriggerDesc: '0 * * * * * *', Enable: 1, Qualifier: '$DEFAULT' },
      { TriggerName: 'url', Type: 'http' },
    ])
  })
})

test('deploying again changes nothing, and invokes nothing', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    expect(await deploy(stub)).toEqual([])
    expect(stub.requests.map(({ outcome }) => outcome)).not.toContain('InvalidParameterValue')
  })
})

test('of a function whose code alone changed, the code is updated and nothing else', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const changed = 'exports.main_handler = async () => 2'
    expect(await deploy(stub, {}, { code: changed })).toEqual([
      'UpdateFunctionCode migrate',
      'UpdateFunctionConfiguration migrate',
      'Invoke migrate',
      'UpdateFunctionConfiguration migrate',
      'UpdateFunctionCode worker',
      'UpdateFunctionConfiguration worker',
    ])
    const [, described] = stub.requests.filter(({ action }) => action === 'UpdateFunctionConfiguration').reverse()
    expect(Object.keys(described?.parameters ?? {}).sort()).toEqual(['Description', 'FunctionName', 'Namespace'])
    expect(stub.functions.get('lcic-archive-test-worker')?.files).toEqual({ 'archive-rooms.js': changed })
    expect(await deploy(stub, {}, { code: changed })).toEqual([])
  })
})

test('of a function whose configuration alone changed, only what changed is sent', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const worker = { memorySize: 256, environment: { LOG_LEVEL: 'debug' } }
    expect(await deploy(stub, { worker })).toEqual(['UpdateFunctionConfiguration worker'])
    const sent = stub.requests.find(({ action }) => action === 'UpdateFunctionConfiguration')?.parameters
    expect(Object.keys(sent ?? {}).sort()).toEqual(['Environment', 'FunctionName', 'MemorySize', 'Namespace'])
    expect(await deploy(stub, { worker })).toEqual([])
    expect(await deploy(stub)).toEqual(['UpdateFunctionConfiguration worker'])
    expect(stub.functions.get('lcic-archive-test-worker')?.Environment.Variables).toHaveLength(1)
  })
})

test('role, network, retry policy and handler are taken over; what is unset stays as the platform has it', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const provider = { role: 'archive', vpc: { vpcId: 'vpc-1', subnetId: 'subnet-1' }, publicNet: false }
    const worker = { asyncRetry: { retries: 0, maxAge: 60 }, handler: 'sweep-rooms.main_handler' }
    await deploy(stub, { worker, provider })
    const fn = stub.functions.get('lcic-archive-test-worker')
    expect(fn).toMatchObject({
      Role: 'archive',
      VpcConfig: { VpcId: 'vpc-1', SubnetId: 'subnet-1' },
      PublicNetConfig: { PublicNetStatus: 'DISABLE' },
      Handler: 'sweep-rooms.main_handler',
      retry: { RetryConfig: [{ RetryNum: 0 }, { RetryNum: -1 }], MsgTTL: 60 },
    })
    expect(await deploy(stub, { worker, provider })).toEqual([])
    await deploy(stub)
    expect(fn).toMatchObject({ Role: 'archive', VpcConfig: { VpcId: 'vpc-1' } })
  })
})

test('triggers are updated, added and taken away as serverless.yml has them', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const timer = { name: 'every-minute', cron: '0 */2 * * * * *', argument: 'x' }
    const ckafka = { name: 'ckafka-1', topic: 'rooms' }
    expect(await deploy(stub, { worker: { events: [{ timer }, { ckafka }] } })).toEqual([
      'DeleteTrigger worker',
      'UpdateTrigger worker',
      'CreateTrigger worker',
    ])
    const triggers = () => stub.functions.get('lcic-archive-test-worker')?.triggers
    expect(triggers()).toMatchObject([
      { TriggerDesc: '0 */2 * * * * *', CustomArgument: 'x' },
      {
        TriggerName: 'ckafka-1-rooms',
        TriggerDesc: '{"maxMsgNum":"100","offset":"latest","retry":"10000","timeOut":"5"}',
      },
    ])
    expect(await deploy(stub, { worker: { events: [{ timer }, { ckafka }] } })).toEqual([])
    expect(await deploy(stub, { worker: { events: [{ timer: { ...timer, enabled: false } }, { ckafka }] } })).toEqual([
      'UpdateTrigger worker',
    ])
    expect(triggers()).toMatchObject([{ Enable: 0 }, { Enable: 1 }])
    await deploy(stub, { worker: { events: [] } })
    expect(triggers()).toEqual([])
  })
})

test('a change of nothing but the argument of a timer, or of how long events are kept, is taken over', async () => {
  await withStub(async (stub) => {
    const timer = { name: 'every-minute', cron: '0 * * * * * *', argument: 'a' }
    const worker = { events: [{ timer }], asyncRetry: { retries: 0, maxAge: 60 } }
    await deploy(stub, { worker })
    const other = { ...worker, events: [{ timer: { ...timer, argument: 'b' } }] }
    expect(await deploy(stub, { worker: other })).toEqual(['UpdateTrigger worker'])
    const without = { ...worker, events: [{ timer: { name: 'every-minute', cron: '0 * * * * * *' } }] }
    expect(await deploy(stub, { worker: without })).toEqual(['UpdateTrigger worker'])
    expect(stub.functions.get('lcic-archive-test-worker')?.triggers).toMatchObject([{ CustomArgument: '' }])
    const longer = { ...without, asyncRetry: { retries: 0, maxAge: 600 } }
    expect(await deploy(stub, { worker: longer })).toEqual(['UpdateFunctionEventInvokeConfig worker'])
    expect(await deploy(stub, { worker: longer })).toEqual([])
  })
})

test('however many triggers there are, all are looked at, and one that leads to other code is replaced', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const triggers = stub.functions.get('lcic-archive-test-worker')?.triggers ?? []
    const [timer] = triggers
    const cos = Array.from({ length: 150 }, (_, index) => ({
      ...{ Type: 'cos', TriggerName: `bucket-${index}`, TriggerDesc: '{}', Qualifier: '$LATEST', Enable: 1 },
      CustomArgument: '',
    }))
    triggers.unshift(...cos)
    expect(await deploy(stub)).toEqual([])
    Object.assign(timer ?? {}, { Qualifier: '3' })
    expect(await deploy(stub)).toEqual(['DeleteTrigger worker', 'CreateTrigger worker'])
    expect(await deploy(stub)).toEqual([])
  })
})

test('triggers of kinds that serverless.yml does not know are left alone', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const cos = {
      Type: 'cos',
      TriggerName: 'bucket',
      TriggerDesc: '{}',
      Qualifier: '$DEFAULT',
      Enable: 1,
      CustomArgument: '',
    }
    stub.functions.get('lcic-archive-test-worker')?.triggers.push(cos)
    expect(await deploy(stub)).toEqual([])
  })
})

test('an update that failed is told with its reason, and made again by the next deployment', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    stub.endings.set('lcic-archive-test-worker', { status: 'UpdateFailed', reason: 'the VPC has no address left' })
    const worker = { memorySize: 256 }
    await expect(deploy(stub, { worker })).rejects.toThrow(
      'lcic-archive-test-worker is UpdateFailed: the VPC has no address left [InternalError]. Mend that and deploy again',
    )
    expect(await deploy(stub, { worker })).toEqual(['UpdateFunctionCode worker', 'UpdateFunctionConfiguration worker'])
    expect(stub.functions.get('lcic-archive-test-worker')).toMatchObject({ Status: 'Active', MemorySize: 256 })
    expect(await deploy(stub, { worker })).toEqual([])
  })
})

test('a code update that failed is made again although the same code was sent', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    stub.endings.set('lcic-archive-test-migrate', { status: 'UpdateFailed', reason: 'no space' })
    await expect(deploy(stub, {}, { code: 'exports.main_handler = 3' })).rejects.toThrow('no space')
    expect(await deploy(stub, {}, { code: 'exports.main_handler = 3' })).toContain('UpdateFunctionCode migrate')
  })
})

test('a function whose creation failed is deleted and created anew', async () => {
  await withStub(async (stub) => {
    stub.endings.set('lcic-archive-test-worker', { status: 'CreateFailed', reason: 'internal' })
    await expect(deploy(stub)).rejects.toThrow('lcic-archive-test-worker is CreateFailed')
    expect(await deploy(stub)).toEqual(['DeleteFunction worker', ...creation.slice(4)])
  })
})

test('a migration that fails stops the deployment before any other function is touched, and is tried again', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    stub.invoke = () => ({ RetMsg: '{"errorCode":-1,"errorMessage":"database is away"}', Log: 'a line' })
    const code = 'exports.main_handler = 4'
    const failing = deploy(stub, {}, { code })
    await expect(failing).rejects.toMatchObject({ code: 'E_INVOCATION_FAILED' })
    await expect(failing).rejects.toThrow(/database is away.*no other function was touched.*a line/s)
    expect(stub.writes()).toEqual([
      'UpdateFunctionCode migrate',
      'UpdateFunctionConfiguration migrate',
      'Invoke migrate',
    ])
    stub.invoke = () => ({ RetMsg: '{"applied":["0009"]}' })
    const answers: string[] = []
    const observer = { ...silent, answered: (_: string, answer: string) => answers.push(answer) }
    expect(await deploy(stub, {}, { code, observer })).toEqual([
      'Invoke migrate',
      'UpdateFunctionConfiguration migrate',
      'UpdateFunctionCode worker',
      'UpdateFunctionConfiguration worker',
    ])
    expect(answers).toEqual(['{"applied":["0009"]}'])
  })
})

test('a migration is made once more where its database is another', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const migrate = { environment: { DATABASE_URL: 'postgres://u:secret@other/lcic' } }
    expect(await deploy(stub, { migrate })).toEqual([
      'UpdateFunctionConfiguration migrate',
      'Invoke migrate',
      'UpdateFunctionConfiguration migrate',
    ])
    expect(await deploy(stub, { migrate })).toEqual([])
  })
})

test('a function that is just being changed is waited for, a bounded time', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    const worker = stub.functions.get('lcic-archive-test-worker')
    Object.assign(worker ?? {}, { Status: 'Updating', settling: { looks: 3, status: 'Active' } })
    const waited: string[] = []
    const observer = { ...silent, waiting: (name: string, status: string) => waited.push(`${name} ${status}`) }
    expect(await deploy(stub, {}, { observer })).toEqual([])
    expect(waited).toEqual(Array(3).fill('lcic-archive-test-worker Updating'))

    Object.assign(worker ?? {}, { Status: 'Updating', settling: { looks: 1e9, status: 'Active' } })
    const api = apiOf(stub, { pacing: { ...quick, patienceMs: 20 } })
    await expect(deploy(stub, {}, { api })).rejects.toMatchObject({ code: 'E_NOT_SETTLED' })
  })
})

test('a wrong key stops at once, and says what to mend', async () => {
  await withStub(async (stub) => {
    const wrong = { endpoint: stub.endpoint, credentials: () => ({ ...stub.credentials, secretKey: 'wrong' }) }
    const failing = deploy(stub, {}, { api: apiOf(stub, { scf: wrong }) })
    await expect(failing).rejects.toThrow(/Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY/)
    expect(stub.requests.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
      Array(2).fill('GetFunction AuthFailure.SignatureFailure'),
    )
    expect(stub.functions.size).toBe(0)
  })
})

test('missing rights are told with the policy that grants them', async () => {
  await withStub(async (stub) => {
    stub.fail('CreateFunction', 'UnauthorizedOperation.CAM')
    await expect(deploy(stub)).rejects.toThrow('lib/deploy/policies/deployer.json')
    expect(stub.writes()).toEqual([])
  })
})

test('throttled and failing requests are repeated, a bounded number of times', async () => {
  await withStub(async (stub) => {
    const retried: string[] = []
    const api = apiOf(stub, { onRetry: ({ action, code }) => retried.push(`${action} ${code}`) })
    stub.fail('CreateFunction', 'RequestLimitExceeded', 3)
    stub.fail('CreateTrigger', 'InternalError', 2)
    stub.fail('Invoke', 'RequestLimitExceeded')
    expect(await deploy(stub, {}, { api })).toEqual(creation)
    expect(retried.sort()).toEqual([
      ...Array(3).fill('CreateFunction RequestLimitExceeded'),
      ...Array(2).fill('CreateTrigger InternalError'),
      'Invoke RequestLimitExceeded',
    ])
    stub.fail('GetFunction', 'RequestLimitExceeded.UinLimitExceeded', 100)
    await expect(deploy(stub)).rejects.toThrow('deploy again in a while')
    expect(stub.requests).toHaveLength(2 * (1 + quick.retries))
  })
})

test('what was done although its answer got lost is not taken for a failure', async () => {
  await withStub(async (stub) => {
    for (const action of ['CreateFunction', 'CreateTrigger', 'UpdateFunctionConfiguration'] as const)
      stub.fail(action, 'LOST')
    await deploy(stub)
    expect(await deploy(stub)).toEqual([])
    stub.fail('DeleteTrigger', 'LOST')
    stub.fail('DeleteFunction', 'LOST')
    await removeService(apiOf(stub), serviceOf(), () => undefined)
    expect(stub.functions.size).toBe(0)
  })
})

test('an invocation whose answer got lost is not repeated, and a function that somebody else just created is not taken over', async () => {
  await withStub(async (stub) => {
    stub.fail('Invoke', 'LOST')
    await expect(deploy(stub)).rejects.toMatchObject({ code: 'E_NETWORK' })
    expect(stub.requests.filter(({ action }) => action === 'Invoke')).toHaveLength(1)
    stub.fail('CreateFunction', 'ResourceInUse.FunctionName')
    await expect(deploy(stub)).rejects.toMatchObject({ code: 'ResourceInUse.FunctionName' })
  })
})

test.each([
  ['', 'Code sha256 '],
  ['Archives.', 'Archives. Code sha256 '],
  ['Archives', 'Archives. Code sha256 '],
])('the description %j holds the hash of the code', (description, start) => {
  const [worker] = serviceOf({ worker: { description } }).functions
  const known = { sha256: 'ab'.repeat(32), isInvoked: true }
  const described = worker ? descriptionOf(worker, known) : ''
  expect(described).toBe(`${start}${known.sha256}, invoked`)
  expect(readDescription(described)).toEqual(known)
  expect(readDescription('Written by hand')).toEqual({ isInvoked: false })
})

test("a function of the same name that is somebody else's is not taken over", async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    Object.assign(stub.functions.get('lcic-archive-test-worker') ?? {}, { Runtime: 'Python3.10' })
    const failing = deploy(stub, { worker: { memorySize: 256 } })
    await expect(failing).rejects.toThrow(/has the runtime Python3.10, which SCF cannot change to Nodejs20.19/)
    expect(stub.writes()).toEqual([])
  })
})

test('an interrupted deployment finishes what it has begun to ask, and the next one goes on', async () => {
  await withStub(async (stub) => {
    const controller = new AbortController()
    const observer = {
      ...silent,
      step: ({ call }: { call: { action: string } }) => {
        if (call.action === 'Invoke') controller.abort(new InterruptedError('Stopped on request.'))
      },
    }
    const api = apiOf(stub, { signal: controller.signal })
    await expect(deploy(stub, {}, { api, observer })).rejects.toBeInstanceOf(InterruptedError)
    expect(stub.writes()).toEqual(creation.slice(0, 2))
    expect(await deploy(stub)).toEqual(creation.slice(2))
  })
})

test('a URL is waited for a while, and only where there is a public one', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    stub.urlLooks = 3
    const url = 'https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com'
    expect(await readUrls(apiOf(stub), serviceOf())).toEqual([{ key: 'worker', url }])
    stub.urlLooks = 1000
    expect(await readUrls(apiOf(stub), serviceOf())).toEqual([{ key: 'worker' }])
    const intranet = { worker: { events: [{ http: { extranet: false, intranet: true } }] } }
    expect(await readUrls(apiOf(stub), serviceOf(intranet))).toEqual([])
  })
})

test('remove takes triggers and functions away, and may be run again', async () => {
  await withStub(async (stub) => {
    await deploy(stub)
    stub.forget()
    await removeService(apiOf(stub), serviceOf(), () => undefined)
    expect(stub.writes()).toEqual([
      'DeleteTrigger worker',
      'DeleteTrigger worker',
      'DeleteFunction worker',
      'DeleteFunction migrate',
    ])
    stub.forget()
    await removeService(apiOf(stub), serviceOf(), () => undefined)
    expect(stub.writes()).toEqual([])
  })
})

test('neither the plan nor its document tells a secret', () => {
  const provider = {
    environment: { DATABASE_URL: 'postgres://u:secret@db/lcic', LCIC_CALLBACK_KEY: 'top-secret', LOG_LEVEL: 'debug' },
  }
  const service = serviceOf({ provider })
  const artifacts = artifactsOf(service)
  const plans = planFirstDeployment(service, artifacts)
  const packaged = plans.flatMap((plan) => [...artifacts.values()].slice(0, 1).map((artifact) => ({ plan, artifact })))
  const document = JSON.stringify(
    planDocument(service, packaged, 'nothing: these are the requests of a first deployment'),
  )
  expect(document).toContain('{"Key":"LOG_LEVEL","Value":"debug"}')
  expect(document).toContain('{"Key":"DATABASE_URL","Value":"(hidden)"}')
  expect(`${document}${planLines(plans).join()}`).not.toMatch(/secret@|top-secret|UEsDB/)
})
