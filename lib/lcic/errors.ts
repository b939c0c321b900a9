import { discreet } from '../discretion'
import { ArchiveError } from '../errors'
import { storableText } from './values'

/** What a failure means for the room that was asked for; decides what happens next. */
export type FailureKind =
  /** The room's statistics are still being computed. */
  | 'not_ready'
  /** The class is still going on. */
  | 'not_ended'
  /** Too many requests: slow down, the room is not to blame. */
  | 'throttled'
  /** May work next time. */
  | 'transient'
  /** LCIC knows no such room; vendors answer so for rooms that exist, too. */
  | 'gone'
  /** The room expired unused: there are no statistics. */
  | 'expired'
  /** Credentials, permissions or parameters are wrong: no room can be archived until that is mended. */
  | 'configuration'
  /** A code that is not documented: treated as transient, and logged. */
  | 'unknown'

/** A request to LCIC that brought no statistics. `code` is the API's own, or `E_…` where no API answer came. */
export class SourceError extends ArchiveError {
  readonly kind: FailureKind
  /** RequestId of the answer; absent where none came. */
  readonly requestId: string | undefined
  /** How long the server asked to be left alone (`Retry-After`). */
  readonly retryAfterMs: number | undefined

  constructor(
    kind: FailureKind,
    code: string,
    message: string,
    options: ErrorOptions & { requestId?: string | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(storableText(code.slice(0, 200)), storableText(discreet(message.slice(0, 2000)).slice(0, 500)), options)
    this.kind = kind
    this.requestId = options.requestId && storableText(options.requestId.slice(0, 200))
    this.retryAfterMs = options.retryAfterMs
  }
}

/**
 * The kind of an API error code: the exact code first, then its prefix before the dot, then the families.
 * Source: the error code lists of DescribeRoomStatistics and of API 3.0.
 */
export function kindOfCode(code: string): FailureKind {
  // Stryker disable next-line StringLiteral: there is always a first part.
  const [prefix = ''] = code.split('.', 1)
  return exact.get(code) ?? prefixes.get(prefix) ?? (configurationFamilies.test(code) ? 'configuration' : 'unknown')
}

const exact = new Map<string, FailureKind>([
  ['FailedOperation', 'transient'],
  ['FailedOperation.ClassExpired', 'expired'],
  ['FailedOperation.RequestTimedOut', 'transient'],
  ['FailedOperation.RoomNotEnd', 'not_ended'],
  ['ResourceNotFound.Room', 'gone'],
])

const prefixes = new Map<string, FailureKind>([
  ['InternalError', 'transient'],
  ['LimitExceeded', 'throttled'],
  ['RequestLimitExceeded', 'throttled'],
  ['ResourceUnavailable', 'not_ready'],
  ['ServiceUnavailable', 'transient'],
])

const configurationFamilies =
  /^(AuthFailure|UnauthorizedOperation|Invalid|Missing|Unknown|Unsupported|NoSuch|ActionOffline|Ip)/

/** Whether a refusal as wrongly asked may be due to the very room that was asked for. */
export function mayConcernRoom(code: string): boolean {
  return /^(Invalid|Missing|Unknown|Unsupported)/.test(code)
}

/** Whether it may be due to the very app: rights can be granted app by app. */
export function mayConcernApp(code: string): boolean {
  return mayConcernRoom(code) || code.startsWith('UnauthorizedOperation')
}

/** Whether no answer came at all: LCIC is out of reach. */
export function isUnreachable(code: string | undefined): boolean {
  return code === 'E_NETWORK' || code === 'E_TIMEOUT'
}

/** What to mend when LCIC refuses a request as such. */
export function mendOf(
  code: string,
  otherwise = 'Check LCIC_ENDPOINT; if it is right, the API has changed: look for a newer version of this program.',
): string {
  return mends.find(([family]) => code.startsWith(family))?.[1] ?? otherwise
}

const mends: readonly (readonly [string, string])[] = [
  ['AuthFailure.SignatureExpire', "This machine's clock is off by more than 5 minutes: set it."],
  ['AuthFailure.Token', 'Check TENCENTCLOUD_SESSION_TOKEN: it is wrong, expired, or belongs to other credentials.'],
  ['AuthFailure', 'Check TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.'],
  [
    'UnauthorizedOperation',
    'Grant lcic:DescribeRoomStatistics, lcic:GetRooms and lcic:DescribeRoom to the user or role that the credentials belong to.',
  ],
  ['UnsupportedRegion', 'Check LCIC_REGION, or unset it.'],
  [
    'Ip',
    "This machine's public address is not allowed to use the API key: change the key's address list in the console.",
  ],
]
