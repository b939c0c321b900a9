import { join } from 'node:path'
import { expect } from 'vitest'
import { openTestArchive, type TestArchive } from './archive'
import { collectLog, keepEnvironmentOutOfLogs } from './log-directory'
import { type Instance, type InstanceOptions, type Outcome, startPlatform } from './platform'
import { type ScfInvocations, startScfInvocations } from './scf-invocations'

/** A platform to run functions on, and what is around them: a database, LCIC, and SCF's Invoke. */
export interface Functions extends TestArchive {
  readonly scf: ScfInvocations
  /** What functions find in their environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Makes an instance of a function; what the options say of the environment is added. */
  start(file: string, options?: Partial<InstanceOptions>): Promise<Instance>
}

/** Of callbacks. */
export const callbackKey = 'a-key-of-callbacks'

/** Temporary credentials, as those of a function's role are. Tests may change them: they are asked about anew each time. */
export function roleCredentials() {
  return { secretId: 'role-secret-id', secretKey: 'role-secret-key', token: 'role-session-token' }
}

export async function openFunctions(options: Parameters<typeof openTestArchive>[0] = {}): Promise<Functions> {
  const credentials = options.credentials ?? roleCredentials()
  const archive = await openTestArchive({ ...options, credentials })
  const scf = await startScfInvocations(credentials)
  const platform = await startPlatform({
    directory: join(import.meta.dirname, '..', '..'),
    onEnd(output, environment) {
      collectLog(output)
      keepEnvironmentOutOfLogs(environment)
    },
  })
  const environment = {
    DATABASE_URL: archive.url,
    LCIC_ENDPOINT: archive.simulator.endpoint,
    LCIC_REQUESTS_PER_SECOND: '100000',
    LCIC_SDK_APP_IDS: String(archive.school.sdkAppId),
    LCIC_CALLBACK_KEY: callbackKey,
    TENCENTCLOUD_SCF_ENDPOINT: scf.endpoint,
    ...roleEnvironment(credentials),
    LOG_LEVEL: 'trace',
  }
  return {
    ...archive,
    scf,
    environment,
    start: (file, told = {}) => platform.start(file, { ...told, environment: { ...environment, ...told.environment } }),
    async close() {
      await platform.close()
      await scf.close()
      await archive.close()
    },
  }
}

/** What the platform puts into the environment of a function with a role. */
export function roleEnvironment({
  secretId,
  secretKey,
  token = '',
}: {
  secretId: string
  secretKey: string
  token?: string
}) {
  return {
    TENCENTCLOUD_SECRETID: secretId,
    TENCENTCLOUD_SECRETKEY: secretKey,
    TENCENTCLOUD_SESSIONTOKEN: token,
  }
}

/** As soon after its answer an invocation has to be over, on a busy machine too: what might keep it alive takes five seconds and more. */
const MOST_IDLE_MS = 2000

/** The answer of an invocation that went as it should: it lived, and nothing kept it alive once it had answered. */
export function answerOf<Answer = Record<string, unknown>>({ answer, error, died, idleAfterMs }: Outcome): Answer {
  expect({ error, died }).toEqual({ error: undefined, died: false })
  expect(idleAfterMs).toBeLessThan(MOST_IDLE_MS)
  return answer as Answer
}

/** What an instance has logged, line by line. */
export function linesOf(instance: Instance): Record<string, unknown>[] {
  return instance
    .output()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

export function timer(name: string) {
  return { Type: 'Timer', TriggerName: name, Time: '2026-11-22T10:00:00Z', Message: '' }
}
