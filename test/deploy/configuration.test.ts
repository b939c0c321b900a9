import { expect, test } from 'vitest'
import { readService } from '../../lib/deploy/configuration'
import { cronProblem } from '../../lib/deploy/cron'
import { missingVariables } from '../../lib/deploy/environment'
import { type Functions, raw, serviceOf } from './deployment'

const timer = (cron: unknown) => ({ worker: { events: [{ timer: { cron } }] } })

/** What is wrong, in words, and the one line that it is told with. */
const wrong: [what: string, functions: Functions, line: string][] = [
  [
    'a runtime',
    { worker: { runtime: 'Nodejs18.15' } },
    'functions.worker.runtime: is "Nodejs18.15"; must be Nodejs20.19: the functions are built for it',
  ],
  [
    'a memory step',
    { worker: { memorySize: 100 } },
    'functions.worker.memorySize: is 100; must be 64, or a multiple of 128 from 128 to 3072 (MB), for example 128',
  ],
  [
    'too much memory',
    { provider: { memorySize: 3200 } },
    'provider.memorySize: is 3200; must be 64, or a multiple of 128 from 128 to 3072 (MB), for example 128',
  ],
  [
    'a timeout',
    { worker: { timeout: 901 } },
    'functions.worker.timeout: is 901; must be a whole number from 1 to 900 (seconds), for example 60',
  ],
  [
    'a timeout in words',
    { worker: { timeout: '60s' } },
    'functions.worker.timeout: is "60s"; must be a whole number from 1 to 900 (seconds), for example 60',
  ],
  [
    'a longer timeout than a deployment waits',
    { migrate: { timeout: 600 } },
    'functions.migrate.timeout: is 600; a function that a deploy waits for has 300 s at most, for example 300',
  ],
  [
    'a name that ends with -',
    { worker: { name: 'worker-' } },
    'functions.worker.name: is "worker-"; must have 2 to 60 letters, digits, - or _, begin with a letter and end with a letter or digit, for example lcic-archive-dev-migrate',
  ],
  [
    'a name twice',
    { worker: { name: 'lcic-archive-test-migrate' } },
    "functions.migrate.name: lcic-archive-test-migrate is another function's name, too",
  ],
  [
    'a handler',
    { worker: { handler: 'functions/worker.main' } },
    'functions.worker.handler: is "functions/worker.main"; must be a file of functions/ and what it exports, for example sweep-rooms.main_handler',
  ],
  [
    'a description',
    { worker: { description: 'a: b' } },
    'functions.worker.description: is "a: b"; may have up to 900 letters, digits, spaces, commas and full stops: SCF allows nothing else',
  ],
  [
    'a reserved variable',
    { worker: { environment: { SCF_X: '1' } } },
    'functions.worker.environment.SCF_X: begins with SCF_, which SCF keeps for itself; name it otherwise, for example MY_SCF_X',
  ],
  [
    'too many variables',
    { worker: { environment: { BIG: 'x'.repeat(4096) } } },
    'functions.worker.environment: takes 4151 bytes, and SCF allows 4096; the largest variable is BIG (4096 bytes)',
  ],
  [
    'a variable that the function refuses',
    { worker: { environment: { ARCHIVE_GIVE_UP_AFTER: '7' } } },
    'functions.worker.environment.ARCHIVE_GIVE_UP_AFTER: must be a duration with its unit, for example 7d (1m to 180d)',
  ],
  [
    'a cron expression of 5 fields',
    timer('* * * * *'),
    'functions.worker.events[0].timer.cron: is "* * * * *"; must have 7 fields (second minute hour day month weekday year), but has 5; for example 0 * * * * * *',
  ],
  [
    'a cron field',
    timer('0 60 * * * * *'),
    'functions.worker.events[0].timer.cron: is "0 60 * * * * *"; has `60` in field 2, the minute: allowed are 0 to 59, and * , - / between them; for example 0 * * * * * *',
  ],
  [
    'no cron expression',
    timer(undefined),
    'functions.worker.events[0].timer.cron: must be a cron expression of 7 fields, for example 0 * * * * * *',
  ],
  [
    'an event',
    { worker: { events: [{ schedule: 'rate(1 minute)' }] } },
    "functions.worker.events[0]: must be one event of timer, http, ckafka, not schedule; for example - timer: { cron: '0 * * * * * *' }",
  ],
  [
    'two timers of one name',
    { worker: { events: Array(2).fill({ timer: { cron: '0 * * * * * *' } }) } },
    'functions.worker.events: timer worker-timer is there twice; give one a name of its own, for example name: second-timer',
  ],
  [
    'an authentication',
    { worker: { events: [{ http: { auth: 'JWT' } }] } },
    'functions.worker.events[0].http.auth: is "JWT"; must be NONE (anyone may call; LCIC signs its callbacks) or CAM',
  ],
  [
    'two URLs',
    { worker: { events: [{ http: true }, { http: { name: 'two' } }] } },
    'functions.worker.events: has two http events, and SCF gives a function one URL',
  ],
  [
    'a CKafka instance',
    { worker: { events: [{ ckafka: { name: 'rooms', topic: 'rooms' } }] } },
    'functions.worker.events[0].ckafka.name: is "rooms"; must be the id of a CKafka instance, for example ckafka-8tfxzia3',
  ],
  [
    'a CKafka time-out',
    { worker: { events: [{ ckafka: { name: 'ckafka-1', topic: 'rooms', timeOut: 61 } }] } },
    'functions.worker.events[0].ckafka.timeOut: is 61; must be a whole number from 1 to 60, for example 5',
  ],
  [
    'half a VPC',
    { provider: { vpc: { vpcId: 'vpc-1' } } },
    'provider.vpc: has vpcId but no subnetId, for example subnetId: subnet-1a2b3c4d',
  ],
  [
    'a subnet',
    { provider: { vpc: { vpcId: 'vpc-1', subnetId: 'vpc-1' } } },
    'provider.vpc.subnetId: is "vpc-1"; must be an id such as subnet-1a2b3c4d',
  ],
  [
    'a region',
    { provider: { region: 'guangzhou' } },
    'provider.region: is "guangzhou"; must be a region, for example ap-guangzhou',
  ],
  [
    'a role',
    { provider: { role: 'qcs::cam::role' } },
    'provider.role: is "qcs::cam::role"; must be the name of a CAM role, for example lcic-archive',
  ],
  [
    'a retry policy',
    { worker: { asyncRetry: { retries: 3 } } },
    'functions.worker.asyncRetry.retries: is 3; must be 0, 1 or 2',
  ],
  [
    'a property that is unknown',
    { worker: { memory: 128 } },
    'functions.worker.memory: is not known; known are asyncRetry, description, environment, events, handler, invokedOnDeploy, memorySize, name, package, publicNet, requiredEnvironment, role, runtime, timeout, vpc',
  ],
  [
    'a property of a timer that is unknown',
    { worker: { events: [{ timer: { cron: '0 * * * * * *', rate: 1 } }] } },
    'functions.worker.events[0].timer.rate: is not known; known are argument, cron, enabled, name',
  ],
]

test.each(wrong)('refuses %s with one precise line', (_what, functions, line) => {
  expect(() => readService(raw(functions))).toThrow(
    expect.objectContaining({ code: 'E_SERVERLESS_YML', message: `serverless.yml is not right:\n  ${line}` }),
  )
})

test('tells everything that is wrong at once, and no value of a variable', () => {
  const functions = { worker: { memorySize: 1, timeout: 0, environment: { QCLOUD_KEY: 'secret', LIST: ['secret'] } } }
  const message = messageOf(() => readService(raw(functions)))
  expect(message.split('\n')).toHaveLength(4)
  expect(message).not.toContain('secret')
})

test('variables that are unset or empty are not sent', () => {
  const environment = { A: null, B: '', C: 0, D: false, LOG_LEVEL: 'info' }
  const [worker] = serviceOf({ worker: { environment } }).functions
  expect(worker?.environment).toEqual({
    DATABASE_URL: 'postgres://u:secret@db/lcic',
    C: '0',
    D: 'false',
    LOG_LEVEL: 'info',
  })
})

test('what deployed functions need is demanded with an example, and one of several alternatives is enough', () => {
  const worker = { requiredEnvironment: ['LCIC_SDK_APP_IDS', 'LCIC_CALLBACK_KEY|LCIC_CALLBACK_UNSIGNED'] }
  expect(missingVariables(serviceOf({ worker }))).toEqual([
    'functions.worker.environment.LCIC_SDK_APP_IDS: is not set, for example export LCIC_SDK_APP_IDS=1400000001',
    'functions.worker.environment.LCIC_CALLBACK_KEY or LCIC_CALLBACK_UNSIGNED: is not set, for example export LCIC_CALLBACK_KEY=… (the key that is set with the callback)',
  ])
  const environment = { LCIC_SDK_APP_IDS: '1400000001', LCIC_CALLBACK_UNSIGNED: 'accept' }
  expect(missingVariables(serviceOf({ worker: { ...worker, environment } }))).toEqual([])
})

test('a certificate authority is sent as its text, in one line', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  const [worker] = serviceOf({ worker: { environment: { DATABASE_CA: pem } } }).functions
  expect(worker?.environment.DATABASE_CA).toBe('-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----')
})

test.each([
  ['0 * * * * * *', true],
  ['*/5 0-59/10 0,12 1-31 JAN-DEC MON,FRI 2026-2030', true],
  ['0 0 2 1 1-12/3 0-6 *', true],
  ['60 * * * * * *', false],
  ['* * 24 * * * *', false],
  ['* * * 0 * * *', false],
  ['* * * * 13 * *', false],
  ['* * * * * 7 *', false],
  ['* * * * * * 1969', false],
  ['*/0 * * * * * *', false],
  ['5-1 * * * * * *', false],
  ['1-2-3 * * * * * *', false],
  ['? * * * * * *', false],
  ['1, * * * * * *', false],
  ['1/2/3 * * * * * *', false],
])('the cron expression %s is right: %s', (expression, isRight) => {
  expect(cronProblem(expression) === undefined).toBe(isRight)
})

function messageOf(run: () => unknown): string {
  try {
    run()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
