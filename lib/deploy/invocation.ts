import { DeployError } from './errors'
import type { ScfResponse } from './scf-api'

/** How a synchronous invocation went. */
export interface Invocation {
  /** What the function answered, JSON. */
  readonly answer: string
  /** Why it failed; absent if it did not. */
  readonly failure?: string
  /** The end of its log. */
  readonly log: string
  readonly durationMs?: number
  readonly requestId: string
}

export function readInvocation({ Result = {}, RequestId = '' }: ScfResponse<'Invoke'>): Invocation {
  const { RetMsg: answer = '', ErrMsg, Log: log = '', Duration: durationMs, FunctionRequestId } = Result
  const failure = ErrMsg?.trim() || failureIn(answer)
  return {
    answer,
    log,
    requestId: FunctionRequestId ?? RequestId,
    ...(failure && { failure }),
    ...(durationMs !== undefined && { durationMs }),
  }
}

/** The platform answers `{"errorCode":-1,"errorMessage":…}` for what a function throws; ours `{"error":{…}}` for events that they cannot read. */
function failureIn(answer: string): string | undefined {
  try {
    const value: unknown = JSON.parse(answer)
    if (typeof value !== 'object' || value === null) return undefined
    if ('errorMessage' in value) return String(value.errorMessage)
    if ('error' in value && typeof value.error === 'object' && value.error !== null && 'message' in value.error)
      return String(value.error.message)
    return undefined
  } catch {
    return undefined
  }
}

/** @param mend what helps, a sentence @throws {DeployError} `E_INVOCATION_FAILED` */
export function requireSuccess(name: string, { failure, log, requestId }: Invocation, mend?: string): void {
  if (failure === undefined) return
  const tail = log.trim() ? ` The end of its log:\n${log.trim()}` : ''
  throw new DeployError(
    'E_INVOCATION_FAILED',
    `${name} failed: ${failure.slice(0, 1000)} (RequestId ${requestId}).${mend === undefined ? '' : ` ${mend}`}${tail}`,
  )
}
