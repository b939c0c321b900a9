import { z } from 'zod'
import { cronProblem } from './cron'
import type { Trigger } from './service'

/** SCF's names of timers: up to 100 letters, digits, - and _. Source: CreateTrigger. */
const TRIGGER_NAME = /^[A-Za-z0-9_-]{1,100}$/
const triggerName = z
  .string(`must be a name such as every-minute`)
  .regex(TRIGGER_NAME, 'must have 1 to 100 letters, digits, - or _, for example every-minute')

const EVERY_MINUTE = '0 * * * * * *'

const timer = z.strictObject({
  cron: z
    .string(`must be a cron expression of 7 fields, for example ${EVERY_MINUTE}`)
    .superRefine((text, context) => {
      const problem = cronProblem(text)
      if (problem) context.addIssue({ code: 'custom', message: `${problem}; for example ${EVERY_MINUTE}` })
    })
    .transform((text) => text.trim().split(/\s+/).join(' ')),
  name: triggerName.optional(),
  enabled: z.boolean('must be true or false').default(true),
  argument: z.string('must be a text, for example nightly').max(4096, 'must have at most 4096 characters').optional(),
})

const http = z.strictObject({
  name: triggerName.default('url'),
  auth: z.enum(['NONE', 'CAM'], 'must be NONE (anyone may call; LCIC signs its callbacks) or CAM').default('NONE'),
  extranet: z.boolean('must be true or false').default(true),
  intranet: z.boolean('must be true or false').default(false),
  enabled: z.boolean('must be true or false').default(true),
})

function within(least: number, most: number, example: number) {
  const message = `must be a whole number from ${least} to ${most}, for example ${example}`
  return z.number(message).int(message).min(least, message).max(most, message)
}

const ckafka = z.strictObject({
  name: z
    .string('must be the id of a CKafka instance, for example ckafka-8tfxzia3')
    .regex(/^ckafka-[a-z0-9]+$/, 'must be the id of a CKafka instance, for example ckafka-8tfxzia3'),
  topic: z
    .string('must be the name of a topic, for example ended-rooms')
    .regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/, 'must be the name of a topic, for example ended-rooms'),
  maxMsgNum: within(1, 10_000, 100).default(100),
  offset: z
    .union(
      [z.enum(['latest', 'earliest']), z.string().regex(/^\d{13}$/)],
      'must be latest, earliest, or a time in Unix milliseconds in quotes, for example latest',
    )
    .default('latest'),
  retry: within(0, 10_000, 10_000).default(10_000),
  timeOut: within(1, 60, 5).default(5),
  enabled: z.boolean('must be true or false').default(true),
})

/** The events of a function, as serverless.yml has them. */
export const eventSchemas = { timer, http, ckafka }

/**
 * The trigger of an event that has been checked.
 *
 * Source: SCF, trigger configuration (TriggerDesc), and creating function URLs.
 */
export function triggerOf(functionKey: string, event: CheckedEvent): Trigger {
  if (event.timer) {
    const { cron, name = `${functionKey}-timer`, enabled, argument } = event.timer
    return { type: 'timer', name, description: cron, enabled, ...(argument !== undefined && { argument }) }
  }
  if (event.http) {
    const { name, auth: AuthType, extranet: EnableExtranet, intranet: EnableIntranet, enabled } = event.http
    const description = JSON.stringify({ AuthType, NetConfig: { EnableIntranet, EnableExtranet } })
    return { type: 'http', name, description, enabled }
  }
  const { name, topic, maxMsgNum, offset, retry, timeOut, enabled } = event.ckafka
  const description = JSON.stringify({ maxMsgNum: `${maxMsgNum}`, offset, retry: `${retry}`, timeOut: `${timeOut}` })
  return { type: 'ckafka', name: `${name}-${topic}`, description, enabled }
}

export type CheckedEvent =
  | { timer: z.output<typeof timer>; http?: undefined; ckafka?: undefined }
  | { timer?: undefined; http: z.output<typeof http>; ckafka?: undefined }
  | { timer?: undefined; http?: undefined; ckafka: z.output<typeof ckafka> }

/**
 * Whether a trigger that the platform lists does what is wanted. It writes a timer's cron expression as JSON, and adds
 * addresses to a function URL's description: what is not ours to say is not compared.
 */
export function describesSame(wanted: string, listed: string): boolean {
  const want = parsed(wanted)
  const have = parsed(listed)
  if (typeof want === 'string') return want === (typeof have === 'string' ? have : property(have, 'cron'))
  return contains(have, want)
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : text.trim()
  } catch {
    return text.trim()
  }
}

function contains(have: unknown, want: unknown): boolean {
  if (typeof want !== 'object' || want === null) return String(have) === String(want)
  return Object.entries(want).every(([name, value]) => contains(property(have, name), value))
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** The public address of a function URL, as the platform lists its trigger. Source: ListTriggers, example. */
export function urlOf(listedDescription: string): string | undefined {
  const url = property(property(parsed(listedDescription), 'NetConfig'), 'ExtranetUrl')
  return typeof url === 'string' && url.startsWith('https://') ? url : undefined
}

/** Whether a function URL, as serverless.yml describes it, can be reached from everywhere. */
export function isOnPublicNet(description: string): boolean {
  return property(property(parsed(description), 'NetConfig'), 'EnableExtranet') === true
}
