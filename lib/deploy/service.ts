/** A service as serverless.yml describes it, checked: what is to be on the platform. */
export interface Service {
  readonly name: string
  readonly stage: string
  readonly region: string
  readonly namespace: string
  readonly functions: readonly ServiceFunction[]
}

export interface ServiceFunction {
  /** Its name in serverless.yml. */
  readonly key: string
  /** Its name on the platform. */
  readonly name: string
  /** `file.export`; the file lies in functions/. */
  readonly handler: string
  readonly description: string
  readonly runtime: string
  readonly memoryMb: number
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
  /** Variables without which it is not deployed: each a name, or several with `|` between, of which one is enough. */
  readonly requiredEnvironment: readonly string[]
  /** Absent: whatever the platform has stays. */
  readonly role?: string
  /** Absent: whatever the platform has stays. */
  readonly vpc?: { readonly vpcId: string; readonly subnetId: string }
  readonly publicNet: boolean
  readonly asyncRetry: AsyncRetry
  readonly triggers: readonly Trigger[]
  /** Deployed before the others, and invoked once whenever it has changed: if that fails, no other is touched. */
  readonly invokedOnDeploy: boolean
}

/** What the platform does with asynchronous invocations (timers' too) that fail. */
export interface AsyncRetry {
  readonly retries: number
  /** How long an event that is throttled, or retried, is kept. */
  readonly maxAgeSeconds: number
}

/** What SCF's trigger interfaces take. */
export interface Trigger {
  readonly type: TriggerType
  readonly name: string
  /** The cron expression of a timer, JSON of the others. */
  readonly description: string
  readonly enabled: boolean
  /** Timers only: what the function finds as `Message`. */
  readonly argument?: string
}

export const triggerTypes = ['timer', 'http', 'ckafka'] as const
export type TriggerType = (typeof triggerTypes)[number]

/** The file of functions/ that holds a handler. */
export function fileOf(handler: string): string {
  return handler.slice(0, handler.lastIndexOf('.'))
}
