import { describe, expect, test } from 'vitest'
import { readConfig } from '../lib/config'

test('an empty environment gives the defaults', () => {
  const config = readConfig({ DATABASE_URL: ' ', LCIC_REGION: '' })
  expect(config.lcic.endpoint.href).toBe('https://lcic.tencentcloudapi.com/')
  expect(config.requestsPerSecond).toBe(20)
  expect(config).toMatchObject({
    sdkAppIds: [],
    giveUpAfterMs: 7 * 86_400_000,
    sweepLookbackMs: 76 * 3_600_000,
    rereadAfterMs: 86_400_000,
    retention: { callbacksMs: 90 * 86_400_000 },
  })
  expect(config.retention).not.toHaveProperty('membersMs')
  expect(config).not.toHaveProperty('personalData')
  expect(config).not.toHaveProperty('databaseUrl')
  expect(config.lcic).not.toHaveProperty('region')
})

describe('credentials are read anew each time, under both sets of names', () => {
  const sdk = { TENCENTCLOUD_SECRET_ID: 'a', TENCENTCLOUD_SECRET_KEY: 'b', TENCENTCLOUD_SESSION_TOKEN: 'c' }
  const scf = { TENCENTCLOUD_SECRETID: 'd', TENCENTCLOUD_SECRETKEY: 'e', TENCENTCLOUD_SESSIONTOKEN: 'f' }
  test.each([
    ['the SDK’s', sdk, { secretId: 'a', secretKey: 'b', token: 'c' }],
    ['SCF’s', scf, { secretId: 'd', secretKey: 'e', token: 'f' }],
    [
      'the SDK’s before SCF’s, never mixed',
      { ...scf, ...sdk, TENCENTCLOUD_SESSION_TOKEN: '' },
      { secretId: 'a', secretKey: 'b' },
    ],
    [
      'SCF’s where the SDK’s are not complete',
      { ...scf, TENCENTCLOUD_SECRET_ID: 'a' },
      { secretId: 'd', secretKey: 'e', token: 'f' },
    ],
  ])('%s', (_, environment, expected) => {
    expect(readConfig(environment).lcic.credentials()).toEqual(expected)
  })

  test('a role’s credentials that change are seen', () => {
    const environment = { ...scf }
    const { credentials } = readConfig(environment).lcic
    environment.TENCENTCLOUD_SECRETKEY = 'changed'
    expect(credentials().secretKey).toBe('changed')
  })

  test('none at all: an error that names the variables', () => {
    expect(() => readConfig({}).lcic.credentials()).toThrow('set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY')
  })
})

describe('a wrong value is told with its variable and an example, and is not quoted', () => {
  test.each([
    ['DATABASE_URL', 'mysql://root:hunter2@host/x', 'postgres://user:password@host:5432/lcic'],
    ['DATABASE_URL', 'hunter2', 'must be a PostgreSQL URL'],
    ['DATABASE_CA', '/no/such/hunter2.pem', 'PEM'],
    ['LCIC_ENDPOINT', 'http://lcic.example.com', 'only on this machine'],
    ['LCIC_ENDPOINT', 'http://127.0.0.1.hunter2.example', 'only on this machine'],
    ['LCIC_ENDPOINT', 'ftp://127.0.0.1', 'must be an https URL'],
    ['LCIC_ENDPOINT', 'https://host/path', 'no path'],
    ['LCIC_REGION', 'Guang zhou hunter2', 'ap-guangzhou'],
    ['LCIC_REQUESTS_PER_SECOND', 'hunter2', 'for example 10'],
    ['LCIC_REQUESTS_PER_SECOND', '0', 'above 0'],
    ['LCIC_REQUESTS_PER_SECOND', '1e-300', 'at least 0.001'],
    ['LOG_LEVEL', 'hunter2', 'one of fatal, error'],
    ['ARCHIVE_PERSONAL_DATA', 'hunter2', 'keep, pseudonymise or drop'],
    ['ARCHIVE_PSEUDONYM_KEY', 'hunter2', '`openssl rand -hex 32`'],
  ])('%s=%s', (name, value, hint) => {
    const read = () => readConfig({ [name]: value })
    expect(read).toThrow(name)
    expect(read).toThrow(hint)
    expect(read).not.toThrow('hunter2')
  })
})

test('loopback endpoints may be http, and an endpoint without a scheme is https', () => {
  expect(readConfig({ LCIC_ENDPOINT: 'http://127.0.0.1:9701' }).lcic.endpoint.host).toBe('127.0.0.1:9701')
  expect(readConfig({ LCIC_ENDPOINT: 'http://[::1]:9701' }).lcic.endpoint.port).toBe('9701')
  expect(readConfig({ LCIC_ENDPOINT: 'lcic.intl.tencentcloudapi.com' }).lcic.endpoint.protocol).toBe('https:')
  expect(readConfig({ LCIC_ENDPOINT: '127.0.0.1:9701' }).lcic.endpoint.href).toBe('http://127.0.0.1:9701/')
  expect(readConfig({ LCIC_ENDPOINT: 'localhost:9701' }).lcic.endpoint.protocol).toBe('http:')
})

test('apps and durations are read with their units', () => {
  const config = readConfig({
    LCIC_SDK_APP_IDS: ' 1400000001, 1400000002,1400000001,',
    ARCHIVE_GIVE_UP_AFTER: '36h',
    ARCHIVE_SWEEP_LOOKBACK: '5d',
    ARCHIVE_REREAD_AFTER: 'off',
  })
  expect(config).toMatchObject({
    sdkAppIds: [1400000001n, 1400000002n],
    giveUpAfterMs: 36 * 3_600_000,
    sweepLookbackMs: 5 * 86_400_000,
  })
  expect(config).not.toHaveProperty('rereadAfterMs')
})

test.each([
  ['LCIC_SDK_APP_IDS', 'my-app'],
  ['LCIC_SDK_APP_IDS', '0'],
  ['ARCHIVE_GIVE_UP_AFTER', '7'],
  ['ARCHIVE_GIVE_UP_AFTER', '1s'],
  ['ARCHIVE_SWEEP_LOOKBACK', 'a day'],
  ['ARCHIVE_SWEEP_LOOKBACK', '90d'],
  ['ARCHIVE_REREAD_AFTER', 'never'],
  ['ARCHIVE_KEEP_RAW_PAGES', '1h'],
  ['ARCHIVE_KEEP_MEMBERS', '3 years'],
  ['ARCHIVE_KEEP_CALLBACKS', '90'],
])('%s=%s is refused, with an example', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`${name}.*: must be .*for example`))
})

test('personal data are kept, or else there is a key for the pseudonyms', () => {
  const ARCHIVE_PSEUDONYM_KEY = 'of sixteen, or so'
  expect(readConfig({ ARCHIVE_PSEUDONYM_KEY })).not.toHaveProperty('personalData')
  for (const mode of ['pseudonymise', 'drop']) {
    const config = readConfig({ ARCHIVE_PERSONAL_DATA: mode, ARCHIVE_PSEUDONYM_KEY })
    expect(config.personalData).toEqual({ mode, pseudonymKey: ARCHIVE_PSEUDONYM_KEY })
    expect(config.callback.isReduced).toBe(true)
    expect(() => readConfig({ ARCHIVE_PERSONAL_DATA: mode })).toThrow(
      `ARCHIVE_PSEUDONYM_KEY: is not set, and ARCHIVE_PERSONAL_DATA=${mode} needs it; for example what \`openssl rand -hex 32\` prints`,
    )
  }
})

test('what prune keeps is read with its unit; off is for ever', () => {
  const { retention } = readConfig({
    ARCHIVE_KEEP_RAW_PAGES: '365d',
    ARCHIVE_KEEP_MEMBERS: '1095d',
    ARCHIVE_KEEP_CALLBACKS: 'off',
  })
  expect(retention).toEqual({ rawPagesMs: 365 * 86_400_000, membersMs: 1095 * 86_400_000 })
})

test.each([
  ['https://lcic.tencentcloudapi.com', 'https://scf.tencentcloudapi.com/'],
  ['https://lcic.intl.tencentcloudapi.com', 'https://scf.intl.tencentcloudapi.com/'],
  ['http://127.0.0.1:9701', 'https://scf.tencentcloudapi.com/'],
])('an account whose LCIC is at %s has its functions at %s', (LCIC_ENDPOINT, scf) => {
  expect(readConfig({ LCIC_ENDPOINT }).scf.endpoint.href).toBe(scf)
  const TENCENTCLOUD_SCF_ENDPOINT = 'http://127.0.0.1:9702'
  expect(readConfig({ LCIC_ENDPOINT, TENCENTCLOUD_SCF_ENDPOINT }).scf.endpoint.port).toBe('9702')
})
