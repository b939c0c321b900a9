import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { durationOf } from './duration'
import { UsageError } from './errors'

/**
 * The environment, read and checked in one place: nothing else reads `process.env`.
 * Values are checked when the program starts, so a typing error is told before the first request.
 */
export interface Config {
  /** `postgres://…`; absent: the command line starts its own PostgreSQL. */
  readonly databaseUrl?: string
  /** Certificate authority of the database server, PEM. */
  readonly databaseCa?: string
  readonly lcic: LcicConfig
  /** Requests a second that all instances together may send, per API action. */
  readonly requestsPerSecond: number
  /** The apps whose rooms are swept. */
  readonly sdkAppIds: readonly bigint[]
  /** A room that has failed for so long is given up. */
  readonly giveUpAfterMs: number
  /** How far back each sweep looks. */
  readonly sweepLookbackMs: number
  /** How long after it was archived a room is read once more; absent: never. */
  readonly rereadAfterMs?: number
  /** What becomes of names, addresses and ids before anything is stored; absent: they are kept. */
  readonly personalData?: PersonalData
  readonly retention: Retention
  readonly callback: CallbackConfig
  readonly scf: ScfConfig
  readonly logLevel?: LogLevel
}

/** How to reach LCIC. */
export interface LcicConfig {
  /** Base URL, without path. */
  readonly endpoint: URL
  readonly region?: string
  /** Read anew at every request: the credentials a function gets from its role change while it runs. */
  readonly credentials: () => Credentials
}

/** What becomes of personal data before anything is stored. */
export interface PersonalData {
  /** `pseudonymise`: a token in place of each value; `drop`: only user ids leave a token, all else is left out. */
  readonly mode: 'pseudonymise' | 'drop'
  /** Whoever has it can find out which token stands for a value that he guesses. */
  readonly pseudonymKey: string
}

/** How long `prune` keeps what it may delete, in milliseconds; absent: for ever. */
export interface Retention {
  readonly rawPagesMs?: number
  readonly membersMs?: number
  readonly callbacksMs?: number
}

/** Which callbacks are believed. */
export interface CallbackConfig {
  /** The key of the app's callback. */
  readonly key?: string
  readonly acceptUnsigned: boolean
  /** Callbacks of other apps are refused; empty: none is. */
  readonly sdkAppIds: readonly bigint[]
  /** Of what is stored of a callback, only the event, its time, app and room. */
  readonly isReduced?: boolean
}

/** How to reach SCF, which runs the functions. */
export interface ScfConfig {
  /** Base URL, without path. */
  readonly endpoint: URL
  readonly credentials: () => Credentials
}

export interface Credentials {
  readonly secretId: string
  readonly secretKey: string
  /** Only temporary credentials have one. */
  readonly token?: string | undefined
}

/** The languages that reports are written in. */
export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

export type LogLevel = (typeof logLevels)[number]
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

type Environment = Readonly<Record<string, string | undefined>>

/**
 * @throws {UsageError} `E_CONFIG`: one line for each variable that is wrong, with an example. Values are never quoted:
 *   they may be secrets.
 */
export function readConfig(environment: Environment = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()))
  const { success, data, error } = schema.safeParse(given)
  if (!success) {
    const lines = error.issues.map((issue) => `  ${String(issue.path[0])}: ${issue.message}`)
    throw new UsageError('E_CONFIG', `The environment is not right:\n${lines.join('\n')}`)
  }
  return {
    ...(data.DATABASE_URL && { databaseUrl: data.DATABASE_URL }),
    ...(data.DATABASE_CA && { databaseCa: data.DATABASE_CA }),
    lcic: {
      endpoint: data.LCIC_ENDPOINT,
      ...(data.LCIC_REGION && { region: data.LCIC_REGION }),
      credentials: () => readCredentials(environment),
    },
    requestsPerSecond: data.LCIC_REQUESTS_PER_SECOND,
    sdkAppIds: data.LCIC_SDK_APP_IDS,
    giveUpAfterMs: data.ARCHIVE_GIVE_UP_AFTER,
    sweepLookbackMs: data.ARCHIVE_SWEEP_LOOKBACK,
    ...(Number.isFinite(data.ARCHIVE_REREAD_AFTER) && { rereadAfterMs: data.ARCHIVE_REREAD_AFTER }),
    ...personalDataOf(data.ARCHIVE_PERSONAL_DATA, data.ARCHIVE_PSEUDONYM_KEY),
    retention: {
      ...finite('rawPagesMs', data.ARCHIVE_KEEP_RAW_PAGES),
      ...finite('membersMs', data.ARCHIVE_KEEP_MEMBERS),
      ...finite('callbacksMs', data.ARCHIVE_KEEP_CALLBACKS),
    },
    callback: {
      ...(data.LCIC_CALLBACK_KEY && { key: data.LCIC_CALLBACK_KEY }),
      acceptUnsigned: data.LCIC_CALLBACK_UNSIGNED === 'accept',
      sdkAppIds: data.LCIC_SDK_APP_IDS,
      ...(data.ARCHIVE_PERSONAL_DATA !== 'keep' && { isReduced: true }),
    },
    scf: {
      endpoint: data.TENCENTCLOUD_SCF_ENDPOINT ?? scfBeside(data.LCIC_ENDPOINT),
      credentials: () => readCredentials(environment),
    },
    ...(data.LOG_LEVEL && { logLevel: data.LOG_LEVEL }),
  }
}

/** The language of whoever runs the command, as POSIX programs find it: Chinese, or else English. */
export function readLanguage({ LC_ALL, LC_MESSAGES, LANG }: Environment = process.env): Language {
  return /^zh\b|^zh_/i.test(LC_ALL || LC_MESSAGES || LANG || '') ? 'zh' : 'en'
}

function personalDataOf(
  mode: 'keep' | PersonalData['mode'],
  pseudonymKey: string | undefined,
): { personalData?: PersonalData } {
  return mode === 'keep' || pseudonymKey === undefined ? {} : { personalData: { mode, pseudonymKey } }
}

function finite<Name extends keyof Retention>(name: Name, ms: number): { [name in Name]?: number } | undefined {
  return Number.isFinite(ms) ? ({ [name]: ms } as { [name in Name]: number }) : undefined
}

/**
 * The SDK's own variable names, or those that SCF sets for a function with a role. The first set that is there is
 * taken whole: an id of one never meets the key of the other.
 *
 * @throws {UsageError} `E_CREDENTIALS` when neither set is complete.
 */
function readCredentials(environment: Environment): Credentials {
  for (const prefix of ['TENCENTCLOUD_SECRET_', 'TENCENTCLOUD_SECRET']) {
    const secretId = environment[`${prefix}ID`]?.trim()
    const secretKey = environment[`${prefix}KEY`]?.trim()
    const token = environment[`${prefix.replace('SECRET', 'SESSION')}TOKEN`]?.trim()
    if (secretId && secretKey) return { secretId, secretKey, ...(token && { token }) }
  }
  throw new UsageError(
    'E_CREDENTIALS',
    'No Tencent Cloud credentials: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY ' +
      '(and TENCENTCLOUD_SESSION_TOKEN for temporary ones). To see it work without an account, run: lcic-archive demo',
  )
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

function duration(leastMs: number, mostMs: number, example: string, orOff = false) {
  return z.string().transform((text, context): number => {
    if (orOff && text.trim() === 'off') return Number.POSITIVE_INFINITY
    const ms = durationOf(text.trim())
    if (ms !== undefined && ms >= leastMs && ms <= mostMs) return ms
    context.addIssue({ code: 'custom', message: `must be a duration with its unit, for example ${example}` })
    return z.NEVER
  })
}

/** How long something is kept; for ever: `off`. */
function retention(example: string) {
  return duration(DAY, 36_500 * DAY, `${example} (1d to 36500d), or off`, true)
}

const NEW_KEY = '`openssl rand -hex 32`'

function endpoint(example: string) {
  return z.string().transform((text, context): URL => {
    const url = urlOf(/^[a-z]+:\/\//i.test(text) ? text : `${isLoopbackAddress(text) ? 'http' : 'https'}://${text}`)
    const wrong = endpointProblem(url)
    if (url && !wrong) return url
    context.addIssue({ code: 'custom', message: `${wrong}, for example ${example} or http://127.0.0.1:9701` })
    return z.NEVER
  })
}

const fields = z.object({
  DATABASE_URL: z
    .string()
    .refine((text) => /^postgres(ql)?:$/.test(urlOf(text)?.protocol ?? ''), {
      message:
        'must be a PostgreSQL URL, for example postgres://user:password@host:5432/lcic?sslmode=verify-full; characters such as / @ : # ? % in the password are written as %2F %40 %3A %23 %3F %25',
    })
    .optional(),
  DATABASE_CA: z.string().transform(readPem).optional(),
  LCIC_ENDPOINT: endpoint('https://lcic.intl.tencentcloudapi.com').default(new URL('https://lcic.tencentcloudapi.com')),
  TENCENTCLOUD_SCF_ENDPOINT: endpoint('https://scf.intl.tencentcloudapi.com').optional(),
  LCIC_REGION: z
    .string()
    .regex(/^[a-z0-9-]{2,40}$/, 'must be a region such as ap-guangzhou')
    .optional(),
  LCIC_REQUESTS_PER_SECOND: z.coerce
    .number('must be a number, for example 10')
    .min(0.001, 'must be above 0, and at least 0.001, for example 10')
    .max(100_000, 'must be at most 100000; the API itself allows 20')
    .default(20),
  LCIC_SDK_APP_IDS: z
    .string()
    .transform((text) => [...new Set(text.split(',').map((id) => id.trim()))].filter((id) => id !== ''))
    .pipe(z.array(z.string().regex(/^[1-9]\d{0,17}$/, 'must be app ids with commas between, for example 1400000001')))
    .transform((ids) => ids.map(BigInt))
    .default([]),
  LCIC_CALLBACK_KEY: z
    .string()
    .trim()
    .max(256, 'must be the key that was set with the callback, at most 256 characters')
    .optional(),
  LCIC_CALLBACK_UNSIGNED: z.enum(['reject', 'accept'], 'must be reject or accept').default('reject'),
  ARCHIVE_GIVE_UP_AFTER: duration(MINUTE, 180 * DAY, '7d (1m to 180d)').default(7 * DAY),
  ARCHIVE_SWEEP_LOOKBACK: duration(60 * MINUTE, 60 * DAY, '76h (1h to 60d)').default(76 * 60 * MINUTE),
  ARCHIVE_REREAD_AFTER: duration(MINUTE, 30 * DAY, '24h (1m to 30d), or off', true).default(DAY),
  ARCHIVE_PERSONAL_DATA: z.enum(['keep', 'pseudonymise', 'drop'], 'must be keep, pseudonymise or drop').default('keep'),
  ARCHIVE_PSEUDONYM_KEY: z
    .string()
    .trim()
    .min(16, `must have at least 16 characters, for example what ${NEW_KEY} prints`)
    .optional(),
  ARCHIVE_KEEP_RAW_PAGES: retention('365d').default(Number.POSITIVE_INFINITY),
  ARCHIVE_KEEP_MEMBERS: retention('1095d').default(Number.POSITIVE_INFINITY),
  ARCHIVE_KEEP_CALLBACKS: retention('90d').default(90 * DAY),
  LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).optional(),
})

const schema = fields.superRefine(({ ARCHIVE_PERSONAL_DATA: mode, ARCHIVE_PSEUDONYM_KEY: key }, context) => {
  if (mode === 'keep' || key !== undefined) return
  const message = `is not set, and ARCHIVE_PERSONAL_DATA=${mode} needs it; for example what ${NEW_KEY} prints. Keep it: with another key the same member is somebody else`
  context.addIssue({ code: 'custom', path: ['ARCHIVE_PSEUDONYM_KEY'], message })
})

/** Accounts of the international site have endpoints of their own. */
function scfBeside(lcic: URL): URL {
  const isInternational = lcic.hostname.endsWith('.intl.tencentcloudapi.com')
  return new URL(`https://scf.${isInternational ? 'intl.' : ''}tencentcloudapi.com`)
}

function endpointProblem(url: URL | undefined): string | undefined {
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https URL'
  if (url.username || url.password || url.search || url.hash || url.pathname !== '/')
    return 'must have no path, user or query'
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return 'may be http only on this machine (127.0.0.1, localhost)'
  return undefined
}

function isLoopbackAddress(text: string): boolean {
  return isLoopback(urlOf(`http://${text}`)?.hostname ?? '')
}

/** Whether an address, as URLs name it, is this machine's own. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** PEM text, or the path of a file that holds it. */
function readPem(textOrPath: string, context: z.core.$RefinementCtx<string>): string {
  const inline = textOrPath.replaceAll('\\n', '\n')
  const pem = inline.includes(PEM_BEGIN) ? inline : fileText(textOrPath)
  if (pem?.includes(PEM_BEGIN)) return pem
  context.addIssue({
    code: 'custom',
    message: 'must be a certificate in PEM form, or the path of a readable file that holds one',
  })
  return z.NEVER
}

const PEM_BEGIN = '-----BEGIN CERTIFICATE-----'

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
