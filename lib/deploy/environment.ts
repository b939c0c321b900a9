import { readConfig } from '../config'
import { UsageError } from '../errors'
import type { Service, ServiceFunction } from './service'

/** The most that a function's variables may take. Source: SCF, quotas. */
const MOST_ENVIRONMENT_BYTES = 4096

/** Set by the platform itself. Source: SCF, environment variables. */
const RESERVED_PREFIXES = ['SCF_', 'QCLOUD_', 'TENCENTCLOUD_']

/** What is wrong with the variables of a function, each with the path of what is wrong. */
export function environmentProblems(path: string, environment: Readonly<Record<string, string>>): string[] {
  const problems: string[] = []
  for (const name of Object.keys(environment)) {
    const prefix = RESERVED_PREFIXES.find((reserved) => name.startsWith(reserved))
    if (prefix) {
      problems.push(
        `${path}.${name}: begins with ${prefix}, which SCF keeps for itself; name it otherwise, for example MY_${name}`,
      )
    } else if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
      problems.push(`${path}.${name}: is no name of a variable; use letters, digits and _, for example LOG_LEVEL`)
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(environment))
  if (bytes > MOST_ENVIRONMENT_BYTES) {
    const [largest = ''] = Object.keys(environment).sort((a, b) => size(environment, b) - size(environment, a))
    problems.push(
      `${path}: takes ${bytes} bytes, and SCF allows ${MOST_ENVIRONMENT_BYTES}; the largest variable is ${largest} (${size(environment, largest)} bytes)`,
    )
  }
  return problems
}

function size(environment: Readonly<Record<string, string>>, name: string): number {
  return Buffer.byteLength(environment[name] ?? '')
}

/** Variables without which functions would fail once deployed: one line each. */
export function missingVariables({ functions }: Service): string[] {
  return functions.flatMap(({ key, environment, requiredEnvironment }) =>
    requiredEnvironment
      .map((alternatives) => alternatives.split('|'))
      .filter((names) => !names.some((name) => environment[name]))
      .map((names) => {
        const example = examples[names[0] ?? '']
        return `functions.${key}.environment.${names.join(' or ')}: is not set${example ? `, for example ${example}` : ''}`
      }),
  )
}

const examples: Readonly<Record<string, string>> = {
  DATABASE_URL: 'export DATABASE_URL=postgres://user:password@host:5432/lcic?sslmode=verify-full',
  LCIC_SDK_APP_IDS: 'export LCIC_SDK_APP_IDS=1400000001',
  LCIC_CALLBACK_KEY: 'export LCIC_CALLBACK_KEY=… (the key that is set with the callback)',
}

/** What the functions would find wrong with their variables: one line each. */
export function refusedVariables({ functions }: Service): string[] {
  return functions.flatMap(({ key, environment }) => {
    try {
      readConfig(environment)
      return []
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      const [, ...lines] = error.message.split('\n')
      return lines.map((line) => `functions.${key}.environment.${line.trim()}`)
    }
  })
}

/** A certificate authority given as a path is sent as its text: the function has no such file. Call it once the variables are known to be right. */
export function withCertificates(fn: ServiceFunction): ServiceFunction {
  if (!fn.environment.DATABASE_CA) return fn
  const { databaseCa } = readConfig({ DATABASE_CA: fn.environment.DATABASE_CA })
  if (databaseCa === undefined) return fn
  // One line, which every way of setting variables keeps as it is.
  const text = databaseCa.trim().replaceAll('\r', '').replaceAll('\n', '\\n')
  return { ...fn, environment: { ...fn.environment, DATABASE_CA: text } }
}

/** What stands in place of a value that may be a secret. */
export const HIDDEN = '(hidden)'

/** A variable's value as it may be printed or written to a file: all that is not known to be harmless is hidden. */
export function shownValue(name: string, value: string): string {
  return harmless.test(name) ? value : HIDDEN
}

const harmless =
  /^(LOG_LEVEL|ARCHIVE_(GIVE_UP_AFTER|SWEEP_LOOKBACK|REREAD_AFTER|PERSONAL_DATA)|LCIC_(ENDPOINT|REGION|REQUESTS_PER_SECOND|SDK_APP_IDS|CALLBACK_UNSIGNED))$/
