import { setTimeout as sleep } from 'node:timers/promises'
import pRetry from 'p-retry'
import type { ScfConfig } from '../config'
import { createScfClient, type ScfClient } from '../scf/client'
import { isPassing, toDeployError } from './errors'

/** The actions of SCF that a deployment uses; the CAM policy of whoever deploys names the same. */
export const readActions = ['GetFunction', 'ListTriggers', 'GetFunctionEventInvokeConfig', 'GetFunctionLogs'] as const
export const writeActions = [
  'CreateFunction',
  'UpdateFunctionCode',
  'UpdateFunctionConfiguration',
  'DeleteFunction',
  'UpdateFunctionEventInvokeConfig',
  'CreateTrigger',
  'UpdateTrigger',
  'DeleteTrigger',
  'Invoke',
] as const

export type ScfAction = (typeof readActions)[number] | (typeof writeActions)[number]
export type ScfRequest<Action extends ScfAction> = Parameters<ScfClient[Action]>[0]
export type ScfResponse<Action extends ScfAction> = Awaited<ReturnType<ScfClient[Action]>>

/** A request as it will be sent. */
export type ScfCall = {
  [Action in ScfAction]: { readonly action: Action; readonly parameters: ScfRequest<Action> }
}[ScfAction]

/** SCF, patient: what may work in a while is asked again, a bounded number of times. */
export interface ScfApi {
  /**
   * @throws {DeployError} with the API's code, or `E_HTTP_…`, `E_NETWORK`
   * @throws the signal's reason, once aborted; a request that has left is waited for
   */
  request<Action extends ScfAction>(action: Action, parameters: ScfRequest<Action>): Promise<ScfResponse<Action>>
  /** As {@link request}; an earlier attempt whose answer was lost may have done it: `repeated` says that there was one. */
  requestOnce<Action extends ScfAction>(
    action: Action,
    parameters: ScfRequest<Action>,
    onError: (error: unknown, repeated: boolean) => ScfResponse<Action>,
  ): Promise<ScfResponse<Action>>
  /** Waits, unless the signal is aborted. */
  pause(durationMs: number): Promise<void>
  readonly pacing: Pacing
}

/** How patient a deployment is. */
export interface Pacing {
  /** Between two looks at a function's status. */
  readonly pollMs: number
  /** How long a function may take to become Active. */
  readonly patienceMs: number
  /** Before the first repetition of a request; later ones wait longer. */
  readonly retryMs: number
  readonly retries: number
  readonly timeoutSeconds: number
}

export const usualPacing: Pacing = {
  pollMs: 1000,
  patienceMs: 5 * 60_000,
  retryMs: 1000,
  retries: 6,
  timeoutSeconds: 60,
}

/** Longer than SCF lets a synchronous invocation last. Source: Invoke. */
const INVOKE_TIMEOUT_SECONDS = 310

export interface ScfApiOptions {
  readonly scf: ScfConfig
  readonly region: string
  readonly signal?: AbortSignal | undefined
  readonly pacing?: Pacing
  /** Told of each request that will be repeated. */
  readonly onRetry?: (what: { action: string; name: string; code: string }) => void
}

export function createScfApi({ scf, region, signal, pacing = usualPacing, onRetry }: ScfApiOptions): ScfApi {
  // The SDK would take missing credentials for a network error.
  scf.credentials()
  const client = createScfClient(scf, { region, timeoutSeconds: pacing.timeoutSeconds })
  const patient = createScfClient(scf, { region, timeoutSeconds: INVOKE_TIMEOUT_SECONDS })

  async function send<Action extends ScfAction>(
    action: Action,
    parameters: ScfRequest<Action>,
    onError?: (error: unknown, repeated: boolean) => ScfResponse<Action>,
  ): Promise<ScfResponse<Action>> {
    const name = parameters.FunctionName ?? '?'
    const attempt = async (number: number): Promise<ScfResponse<Action>> => {
      try {
        return await (action === 'Invoke' ? patient : client).request(action, parameters)
      } catch (error) {
        const failure = toDeployError(error, { action, name })
        if (!onError || isPassing(failure.cause instanceof Error ? failure.cause : failure)) throw failure
        return onError(failure, number > 1)
      }
    }
    return pRetry(attempt, {
      retries: pacing.retries,
      minTimeout: pacing.retryMs,
      maxTimeout: 20 * pacing.retryMs,
      randomize: true,
      ...(signal && { signal }),
      shouldRetry: ({ error }) => mayRepeat(action, error),
      onFailedAttempt: ({ error, retriesLeft }) => {
        const code = 'code' in error ? String(error.code) : error.name
        if (retriesLeft > 0 && mayRepeat(action, error)) onRetry?.({ action, name, code })
      },
    })
  }

  return {
    pacing,
    request: (action, parameters) => send(action, parameters),
    requestOnce: send,
    pause: (durationMs) => sleep(durationMs, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted()),
  }
}

/** An invocation whose answer was lost may still go on. */
function mayRepeat(action: ScfAction, error: Error): boolean {
  const { cause } = error
  if (!(cause instanceof Error) || !isPassing(cause)) return false
  return action !== 'Invoke' || ('code' in cause && String(cause.code).startsWith('RequestLimitExceeded'))
}
