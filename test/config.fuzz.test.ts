import fc from 'fast-check'
import { expect } from 'vitest'
import { readConfig } from '../lib/config'
import { durationOf } from '../lib/duration'
import { UsageError } from '../lib/errors'
import { always } from './support/fuzz'

const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const duration = fc
  .tuple(
    fc.oneof(fc.nat(400), fc.nat()),
    fc.constantFrom('', '', '.5', '.25'),
    fc.constantFrom('', ' '),
    fc.constantFrom(...Object.keys(unit), 'y', ''),
  )
  .map((parts) => parts.join(''))
const host = fc.oneof(
  fc.webUrl(),
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((ip) => `[${ip}]`),
  fc.constantFrom(
    'localhost',
    'localhost:1',
    '127.0.0.1:9701',
    'http://127.9.9.9',
    '[::1]:1',
    'http://localhost@evil.example',
    'http://127.0.0.1.evil.example',
  ),
)

/** What may stand in each variable, besides anything. */
const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  DATABASE_URL: fc.webUrl({ validSchemes: ['postgres', 'postgresql', 'mysql'] }),
  DATABASE_CA: fc.string().map((text) => `-----BEGIN CERTIFICATE-----${text}`),
  LCIC_ENDPOINT: host,
  TENCENTCLOUD_SCF_ENDPOINT: host,
  LCIC_REGION: fc.constantFrom('ap-guangzhou', 'ap_x', 'AP'),
  LCIC_REQUESTS_PER_SECOND: fc.oneof(fc.double().map(String), fc.nat(200_000).map(String)),
  LCIC_SDK_APP_IDS: fc
    .array(fc.oneof(fc.nat().map(String), fc.string()), { maxLength: 4 })
    .map((ids) => ids.join(' ,')),
  LCIC_CALLBACK_KEY: fc.string({ maxLength: 300, size: 'max' }),
  LCIC_CALLBACK_UNSIGNED: fc.constantFrom('accept', 'reject', 'ACCEPT'),
  ARCHIVE_GIVE_UP_AFTER: duration,
  ARCHIVE_SWEEP_LOOKBACK: duration,
  ARCHIVE_REREAD_AFTER: fc.oneof(duration, fc.constant('off')),
  ARCHIVE_PERSONAL_DATA: fc.constantFrom('keep', 'pseudonymise', 'drop', 'none'),
  ARCHIVE_PSEUDONYM_KEY: fc.string({ maxLength: 40 }),
  ARCHIVE_KEEP_RAW_PAGES: fc.oneof(duration, fc.constant('off')),
  ARCHIVE_KEEP_MEMBERS: fc.oneof(duration, fc.constant('off')),
  ARCHIVE_KEEP_CALLBACKS: fc.oneof(duration, fc.constant('off')),
  LOG_LEVEL: fc.constantFrom('info', 'INFO', 'silent'),
}
const variables = Object.keys(values)
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }))
const environment = fc.record(
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: anyText }),
    ]),
  ),
  { requiredKeys: [] },
)

/** The message, or nothing where the environment is right. */
function problemOf(given: Readonly<Record<string, string | undefined>>): string | undefined {
  try {
    readConfig(given)
    return undefined
  } catch (error) {
    if (error instanceof UsageError && error.code === 'E_CONFIG') return error.message
    throw error
  }
}

always(
  'any environment gives a config within its bounds, or an error of one line for each variable that is wrong',
  [environment],
  (given) => {
    const problem = problemOf(given)
    if (problem === undefined) {
      const config = readConfig(given)
      expect(config.requestsPerSecond >= 0.001 && config.requestsPerSecond <= 100_000).toBe(true)
      for (const ms of [config.giveUpAfterMs, config.sweepLookbackMs, config.rereadAfterMs ?? 60_000]) {
        expect(ms >= 60_000 && ms <= 180 * unit.d).toBe(true)
      }
      for (const ms of Object.values(config.retention)) expect(ms >= unit.d && ms <= 36_500 * unit.d).toBe(true)
      for (const id of config.sdkAppIds) expect(id > 0n && id < 10n ** 18n).toBe(true)
      for (const { endpoint } of [config.lcic, config.scf]) {
        expect(endpoint.href).toBe(`${endpoint.protocol}//${endpoint.host}/`)
        if (endpoint.protocol !== 'https:')
          expect(endpoint.hostname).toMatch(/^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/)
      }
      const isKept = !given.ARCHIVE_PERSONAL_DATA?.trim() || given.ARCHIVE_PERSONAL_DATA === 'keep'
      expect(config.personalData === undefined).toBe(isKept)
      return
    }
    const [first, ...lines] = problem.split('\n')
    expect(first).toBe('The environment is not right:')
    const named = lines.map((line) => line.slice(2).split(':')[0] ?? '')
    expect(variables).toEqual(expect.arrayContaining(named))
    // Each of those named is wrong by itself, and the others are not.
    for (const name of named) {
      if (name !== 'ARCHIVE_PSEUDONYM_KEY') expect(problemOf({ [name]: given[name] })).toContain(`  ${name}: `)
    }
    const others = Object.entries(given).filter(([name]) => !named.includes(name))
    const without = problemOf(Object.fromEntries(others.filter(([name]) => name !== 'ARCHIVE_PERSONAL_DATA')))
    expect(without).toBeUndefined()
  },
)

const secret = fc.string({ minLength: 9, maxLength: 30 }).map((text) => `§${text.trim()}§`)

always(
  'no value that was given is told, in whichever variable it stands, and whatever else is wrong',
  [
    fc.constantFrom(...variables),
    secret,
    fc.constantFrom('', 'postgres://u:', 'https://', 'http://u:', '/'),
    environment,
  ],
  (name, text, before, rest) => {
    const problem = problemOf({ ...rest, [name]: before + text })
    expect(problem ?? '').not.toContain(text)
  },
)

always(
  'credentials are those of one set, whole, or there are none',
  [
    fc.record(
      Object.fromEntries(
        ['SECRET_ID', 'SECRET_KEY', 'SESSION_TOKEN', 'SECRETID', 'SECRETKEY', 'SESSIONTOKEN'].map((name) => [
          `TENCENTCLOUD_${name}`,
          fc.constantFrom('', ' ', `of ${name}`, ` of ${name}\n`),
        ]),
      ),
      { requiredKeys: [] },
    ),
  ],
  (given) => {
    const trimmed = (name: string) => given[`TENCENTCLOUD_${name}`]?.trim() || undefined
    const sets = ['_', ''].map((joint) => ({
      secretId: trimmed(`SECRET${joint}ID`),
      secretKey: trimmed(`SECRET${joint}KEY`),
      token: trimmed(`SESSION${joint}TOKEN`),
    }))
    const whole = sets.find(({ secretId, secretKey }) => secretId && secretKey)
    const { credentials } = readConfig(given).lcic
    if (!whole) expect(credentials).toThrow('No Tencent Cloud credentials')
    else expect({ token: undefined, ...credentials() }).toEqual(whole)
  },
)

always(
  'a duration is its number times its unit, and any other text is none',
  [
    fc.nat(999_999_999),
    fc.option(fc.nat(999_999_999)),
    fc.constantFrom(...(Object.keys(unit) as (keyof typeof unit)[])),
    fc.constantFrom('', ' ', '  '),
    fc.string(),
  ],
  (count, fraction, name, space, other) => {
    const number = fraction === null ? String(count) : `${count}.${fraction}`
    expect(durationOf(`${number}${space}${name}`)).toBe(Number(number) * unit[name])
    for (const text of [`-${number}${name}`, `+${number}${name}`, number, `${number}${name}${name}`, `${number}M`])
      expect(durationOf(text)).toBeUndefined()
    const ms = durationOf(other)
    if (ms !== undefined) expect(other).toMatch(/^\d+(\.\d+)? *[a-z]+$/)
  },
)
