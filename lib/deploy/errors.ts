import { ArchiveError } from '../errors'

/** A request to SCF that did not do what it was to do, or a function that did not become what it was to become. */
export class DeployError extends ArchiveError {}

/** What the SDK throws: an API error has a code and a RequestId, an HTTP status other than 200 only that. */
export interface SdkFailure extends Error {
  readonly code?: string
  readonly requestId?: string
  readonly httpCode?: number
}

/** Whether the thing that was asked for is not there. */
export function isNotFound(error: unknown): boolean {
  return (
    error instanceof DeployError &&
    /^ResourceNotFound(\.(Function|FunctionName|Trigger|TriggerName))?$/.test(error.code)
  )
}

/** Whether the thing that was to be created is there already. */
export function isInUse(error: unknown): boolean {
  return error instanceof DeployError && /^ResourceInUse(\.|$)/.test(error.code)
}

/** Whether the function is just being changed: by an earlier attempt whose answer got lost, or by somebody else. */
export function isBusy(error: unknown): boolean {
  return error instanceof DeployError && /Status(NotActive|Error)$/.test(error.code)
}

/** Whether the same request may work in a while. A quota (`LimitExceeded.Function`) is no matter of time. */
export function isPassing({ code, requestId, httpCode }: SdkFailure): boolean {
  if (requestId && code) {
    return /^(RequestLimitExceeded|InternalError|ServiceUnavailable|FailedOperation\.RequestTimedOut)(\.|$)/.test(code)
  }
  return httpCode === undefined || httpCode === 429 || httpCode >= 500
}

/** What failed, and what helps; never what was sent. */
export function toDeployError(error: unknown, { action, name }: { action: string; name: string }): ArchiveError {
  if (error instanceof ArchiveError) return error
  const thrown: SdkFailure = error instanceof Error ? error : new Error(String(error))
  const { code, requestId, httpCode } = thrown
  const what = `${action} of ${name} failed`
  if (requestId && code) {
    const [, mend = ''] = mends.find(([family]) => code.startsWith(family)) ?? []
    const message = thrown.message.slice(0, 500)
    return new DeployError(code, `${what}: ${message} (RequestId ${requestId}).${mend && ` ${mend}`}`, { cause: error })
  }
  if (httpCode !== undefined)
    return new DeployError(`E_HTTP_${httpCode}`, `${what}: SCF answered HTTP ${httpCode}.`, { cause: error })
  const reason = thrown.message.replace(/^request to \S+ failed, reason: ?/, '') || 'no connection'
  return new DeployError(
    'E_NETWORK',
    `${what}: SCF could not be reached (${reason}). Check the network, TENCENTCLOUD_SCF_ENDPOINT and the region.`,
    { cause: error },
  )
}

const mends: readonly (readonly [string, string])[] = [
  ['AuthFailure.SignatureExpire', "This machine's clock is off by more than 5 minutes: set it."],
  ['AuthFailure.Token', 'Check TENCENTCLOUD_SESSION_TOKEN: it is wrong, expired, or belongs to other credentials.'],
  ['AuthFailure.UnauthorizedOperation', 'Grant the user or role the policy in lib/deploy/policies/deployer.json.'],
  ['AuthFailure', 'Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.'],
  ['UnauthorizedOperation', 'Grant the user or role the policy in lib/deploy/policies/deployer.json.'],
  ['RequestLimitExceeded', 'SCF refuses so many requests: deploy again in a while.'],
  ['ResourceNotFound.Namespace', 'Create the namespace in the console, or take `provider.namespace` out.'],
  ['ResourceNotFound.Role', 'Create the role in the console (Access Management), or correct LCIC_ARCHIVE_ROLE.'],
  [
    'ResourceNotFound.Vpc',
    'Correct LCIC_ARCHIVE_VPC_ID and LCIC_ARCHIVE_SUBNET_ID: they are those of another region or account.',
  ],
  ['InvalidParameterValue.Runtime', 'The region does not have this runtime: choose another region.'],
  ['UnsupportedRegion', 'Correct `provider.region` (LCIC_ARCHIVE_REGION).'],
  [
    'LimitExceeded',
    'A quota of the account is used up: delete functions that are not needed, or ask for more in the console.',
  ],
]
