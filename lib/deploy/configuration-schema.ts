import { z } from 'zod'

/** SCF counts a minute's wait as the least, and keeps events for 6 hours by default. */
const defaultRetry = { retries: 2, maxAge: 21_600 }

/** Only what has been tried is let through. Source: SCF, runtimes. */
export const RUNTIMES = ['Nodejs20.19'] as const

const text = (message: string, pattern: RegExp) => z.string(message).regex(pattern, message)
const whole = (message: string, isRight: (value: number) => boolean) =>
  z.number(message).refine((value) => Number.isInteger(value) && isRight(value), message)

const runtime = z.enum(RUNTIMES, `must be ${RUNTIMES.join(' or ')}: the functions are built for it`)
const memorySize = whole(
  'must be 64, or a multiple of 128 from 128 to 3072 (MB), for example 128',
  (mb) => mb === 64 || (mb >= 128 && mb <= 3072 && mb % 128 === 0),
)
const timeout = whole('must be a whole number from 1 to 900 (seconds), for example 60', (s) => s >= 1 && s <= 900)
const role = text('must be the name of a CAM role, for example lcic-archive', /^[\w+=,.@-]{1,128}$/)
const flag = z.boolean('must be true or false')
const id = (prefix: string) => text(`must be an id such as ${prefix}-1a2b3c4d`, new RegExp(`^${prefix}-[a-z0-9]+$`))
const scalar = z.union([z.string(), z.number(), z.boolean()], 'must be a text or a number').transform(String)
/** What is unset is not sent: a variable of the shell that is not there, or is empty. */
const environment = z
  .record(z.string(), scalar.nullish(), 'must be a map of variables, for example LOG_LEVEL: info')
  .transform((map) => Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => !!entry[1])))
const vpc = z
  .strictObject({ vpcId: id('vpc').nullish(), subnetId: id('subnet').nullish() }, 'must have vpcId and subnetId')
  .superRefine(({ vpcId, subnetId }, context) => {
    if (Boolean(vpcId) === Boolean(subnetId)) return
    const [given, missing, example] = vpcId
      ? ['vpcId', 'subnetId', 'subnet-1a2b3c4d']
      : ['subnetId', 'vpcId', 'vpc-1a2b3c4d']
    context.addIssue({ code: 'custom', message: `has ${given} but no ${missing}, for example ${missing}: ${example}` })
  })
const asyncRetry = z.strictObject({
  retries: whole('must be 0, 1 or 2', (n) => n >= 0 && n <= 2).default(defaultRetry.retries),
  maxAge: whole(
    'must be a whole number from 60 to 21600 (seconds), for example 3600',
    (s) => s >= 60 && s <= 21_600,
  ).default(defaultRetry.maxAge),
})

const shared = {
  runtime: runtime.optional(),
  memorySize: memorySize.optional(),
  timeout: timeout.optional(),
  role: role.nullish(),
  vpc: vpc.nullish(),
  publicNet: flag.optional(),
  environment: environment.default({}),
}

/** `provider` of serverless.yml: what holds for every function that does not say otherwise. */
export const providerSchema = z.strictObject({
  ...shared,
  name: z.string(),
  stage: z.string().optional(),
  region: text('must be a region, for example ap-guangzhou', /^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$/),
  namespace: text(
    'must have 2 to 60 letters, digits, - or _, for example default',
    /^[A-Za-z][\w-]{0,58}[A-Za-z0-9]$/,
  ).default('default'),
})

/** A function, as serverless.yml has it. */
export const functionSchema = z.strictObject({
  ...shared,
  name: text(
    'must have 2 to 60 letters, digits, - or _, begin with a letter and end with a letter or digit, for example lcic-archive-dev-migrate',
    /^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$/,
  ),
  handler: text(
    'must be a file of functions/ and what it exports, for example sweep-rooms.main_handler',
    /^[A-Za-z][\w-]{0,58}[A-Za-z]\.[A-Za-z][\w-]{0,58}[A-Za-z]$/,
  ),
  description: text(
    'may have up to 900 letters, digits, spaces, commas and full stops: SCF allows nothing else',
    /^[\p{Script=Han}\p{L}\p{N} ,.]{0,900}$/u,
  ).default(''),
  requiredEnvironment: z.array(z.string(), 'must be a list of names, for example [DATABASE_URL]').default([]),
  asyncRetry: asyncRetry.default({ retries: defaultRetry.retries, maxAge: defaultRetry.maxAge }),
  invokedOnDeploy: flag.default(false),
  events: z.array(z.unknown(), 'must be a list, for example - timer: …').default([]),
  /** The framework's own. */
  package: z.unknown().optional(),
})
