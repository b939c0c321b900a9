import { z } from 'zod'
import { UsageError } from '../errors'
import { functionSchema, providerSchema, RUNTIMES } from './configuration-schema'
import { environmentProblems, refusedVariables, withCertificates } from './environment'
import type { Service, ServiceFunction } from './service'
import { type CheckedEvent, eventSchemas, triggerOf } from './triggers'

/** What the framework read from serverless.yml, variables resolved. */
export interface RawConfiguration {
  readonly service: unknown
  readonly stage: string
  readonly provider: unknown
  readonly functions: unknown
}

/**
 * The service that serverless.yml describes.
 *
 * @throws {UsageError} `E_SERVERLESS_YML`: one line for each thing that is wrong, with its place and an example
 */
export function readService({
  service,
  stage,
  provider: rawProvider,
  functions: rawFunctions,
}: RawConfiguration): Service {
  const problems: string[] = []
  const base = checked(providerSchema, rawProvider, 'provider', problems)
  const functions = Object.entries(objectOf(rawFunctions)).flatMap(([key, raw]) => {
    const fn = readFunction(key, raw, base, problems)
    return fn ? [fn] : []
  })
  if (base && Object.keys(objectOf(rawFunctions)).length === 0) problems.push('functions: there is none')
  problems.push(...doubles(functions))
  const read: Service = {
    name: String(service),
    stage,
    region: base?.region ?? '',
    namespace: base?.namespace ?? '',
    functions,
  }
  problems.push(...refusedVariables(read))
  if (problems.length > 0) throw configurationError('serverless.yml is not right', problems)
  return { ...read, functions: functions.map(withCertificates) }
}

export function configurationError(what: string, problems: readonly string[]): UsageError {
  return new UsageError('E_SERVERLESS_YML', `${what}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
}

function readFunction(
  key: string,
  raw: unknown,
  base: z.output<typeof providerSchema> | undefined,
  problems: string[],
): ServiceFunction | undefined {
  const path = `functions.${key}`
  const before = problems.length
  const fn = checked(functionSchema, raw, path, problems)
  const events = (fn?.events ?? []).flatMap((event, index) => readEvent(event, `${path}.events[${index}]`, problems))
  if (!fn || !base) return undefined
  const variables = { ...base.environment, ...fn.environment }
  problems.push(...environmentProblems(`${path}.environment`, variables))
  const timeoutSeconds = fn.timeout ?? base.timeout ?? 3
  if (fn.invokedOnDeploy && timeoutSeconds > 300) {
    problems.push(
      `${path}.timeout: is ${timeoutSeconds}; a function that a deploy waits for has 300 s at most, for example 300`,
    )
  }
  if (problems.length > before) return undefined
  const { vpcId, subnetId } = fn.vpc ?? base.vpc ?? {}
  const roleName = fn.role ?? base.role
  return {
    key,
    name: fn.name,
    handler: fn.handler,
    description: fn.description,
    runtime: fn.runtime ?? base.runtime ?? RUNTIMES[0],
    memoryMb: fn.memorySize ?? base.memorySize ?? 128,
    timeoutSeconds,
    environment: variables,
    requiredEnvironment: fn.requiredEnvironment,
    ...(roleName && { role: roleName }),
    ...(vpcId && subnetId && { vpc: { vpcId, subnetId } }),
    publicNet: fn.publicNet ?? base.publicNet ?? true,
    asyncRetry: { retries: fn.asyncRetry.retries, maxAgeSeconds: fn.asyncRetry.maxAge },
    triggers: events.map((event) => triggerOf(key, event)),
    invokedOnDeploy: fn.invokedOnDeploy,
  }
}

function readEvent(event: unknown, path: string, problems: string[]): CheckedEvent[] {
  const known = Object.keys(eventSchemas).join(', ')
  const [[type, raw] = ['', undefined], ...more] = Object.entries(objectOf(event))
  if (more.length > 0 || !(type in eventSchemas)) {
    problems.push(
      `${path}: must be one event of ${known}${type ? `, not ${type}` : ''}; for example - timer: { cron: '0 * * * * * *' }`,
    )
    return []
  }
  // Of a URL everything may be left at its default.
  const value = type === 'http' && (raw === true || raw === null) ? {} : raw
  if (type === 'timer') return wrapped('timer', checked(eventSchemas.timer, value, `${path}.timer`, problems))
  if (type === 'http') return wrapped('http', checked(eventSchemas.http, value, `${path}.http`, problems))
  return wrapped('ckafka', checked(eventSchemas.ckafka, value, `${path}.ckafka`, problems))
}

function wrapped(type: keyof typeof eventSchemas, value: unknown): CheckedEvent[] {
  return value === undefined ? [] : [{ [type]: value } as unknown as CheckedEvent]
}

/** Names that would make two things one. */
function doubles(functions: readonly ServiceFunction[]): string[] {
  const problems = functions
    .filter((fn, index) => functions.findIndex(({ name }) => name === fn.name) < index)
    .map(({ key, name }) => `functions.${key}.name: ${name} is another function's name, too`)
  for (const { key, triggers } of functions) {
    const names = triggers.map(({ type, name }) => `${type} ${name}`)
    const double = names.find((name, index) => names.indexOf(name) < index)
    if (double)
      problems.push(
        `functions.${key}.events: ${double} is there twice; give one a name of its own, for example name: second-timer`,
      )
    if (triggers.filter(({ type }) => type === 'http').length > 1) {
      problems.push(`functions.${key}.events: has two http events, and SCF gives a function one URL`)
    }
  }
  return problems
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: string,
  problems: string[],
): z.output<Schema> | undefined {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  for (const issue of error.issues) {
    const place = [path, ...issue.path.map(String)].join('.')
    if (issue.code === 'unrecognized_keys') {
      const known = schema instanceof z.ZodObject ? `; known are ${Object.keys(schema.shape).sort().join(', ')}` : ''
      problems.push(
        ...issue.keys.map((name) => `${place}.${name}: is not known${issue.path.length === 0 ? known : ''}`),
      )
    } else {
      const at = issue.path.reduce<unknown>(
        (item, name) => (isObject(item) ? Reflect.get(item, name) : undefined),
        value,
      )
      problems.push(`${place}: ${isShown(place, at) ? `is ${JSON.stringify(at)}; ` : ''}${issue.message}`)
    }
  }
  return undefined
}

/** Variables may be secrets. */
function isShown(place: string, value: unknown): boolean {
  return !place.includes('.environment') && ['string', 'number', 'boolean'].includes(typeof value)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? { ...value } : {}
}
