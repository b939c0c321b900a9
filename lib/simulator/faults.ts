import { randomFrom } from './random'

/** An action of the API that the simulator knows. */
export type Action = 'DescribeRoomStatistics' | 'GetRooms' | 'DescribeRoom'

/** Something that goes wrong with one answer. */
export type Fault =
  /** The connection is reset. */
  | { kind: 'reset' }
  /** Nothing is ever answered; the connection stays open until somebody closes it. */
  | { kind: 'hang' }
  /** The right answer comes late. */
  | { kind: 'delay'; ms: number }
  /**
   * The right answer breaks off in the middle, and the connection with it. A client notices a broken `chunked` body (the
   * default) at once; of a body whose `length` was announced, the official SDK waits for the rest until its time-out.
   */
  | { kind: 'truncate'; framing?: 'chunked' | 'length' }
  /** HTTP 200 with a page of HTML, as a captive portal or a proxy answers. */
  | { kind: 'html' }
  /** HTTP 200 that claims to be JSON and is none. */
  | { kind: 'not-json' }
  /** HTTP 200 with `{}`: JSON, but no answer of the API. */
  | { kind: 'empty-json' }
  /** Any HTTP status. */
  | { kind: 'status'; status: number }
  /** HTTP 200 with an error of the API. */
  | { kind: 'error'; code: string; message?: string }
  /** The page's window is off by one: a neighbour's record comes again, one is missed, Total still agrees. */
  | { kind: 'shift' }
  /** The page's Total is off by one. */
  | { kind: 'total'; by?: 1 | -1 }
  /** The page's first record stands in the place of its last one too. */
  | { kind: 'duplicate' }

export type FaultKind = Fault['kind']

/** What a plan knows of a request when it decides. */
export interface FaultRequest {
  action: Action
  roomId?: bigint | undefined
  page?: number | undefined
  limit?: number | undefined
  /** Counts all requests in order of arrival, from 1. */
  sequence: number
}

/** A share of all requests, drawn from the simulator's seed and the request's sequence. */
export interface FaultRate {
  /** From 0 to 1. */
  rate: number
  /** Each equally likely; a kind alone stands for its usual form, such as HTTP 502 for `status`. */
  kinds: readonly (FaultKind | Fault)[]
  /** Spares all other actions. */
  actions?: readonly Action[]
}

/**
 * Which requests go wrong, and how. Only requests that were authenticated and within the limit are asked about.
 *
 * @example
 * // The first request for page 2 of any room is reset.
 * let done = false
 * simulator.setFaults(({ page }) => (page === 2 && !done ? ((done = true), { kind: 'reset' }) : undefined))
 */
export type FaultPlan = FaultRate | ((request: FaultRequest) => Fault | undefined)

/** The kinds of fault, for schemas and tests. */
export const faultKinds = [
  'reset',
  'hang',
  'delay',
  'truncate',
  'html',
  'not-json',
  'empty-json',
  'status',
  'error',
  'shift',
  'total',
  'duplicate',
] as const satisfies readonly FaultKind[]

/** What a plan has in store for a request. */
export function planned(plan: FaultPlan | undefined, request: FaultRequest, seed: number): Fault | undefined {
  if (plan === undefined) return undefined
  if (typeof plan === 'function') return plan(request)
  if (plan.actions && !plan.actions.includes(request.action)) return undefined
  const random = randomFrom('fault', seed, request.sequence)
  if (plan.kinds.length === 0 || !random.chance(plan.rate)) return undefined
  const drawn = random.pick(plan.kinds)
  if (typeof drawn !== 'string') return drawn
  switch (drawn) {
    case 'delay':
      return { kind: drawn, ms: random.int(5, 50) }
    case 'status':
      return { kind: drawn, status: random.pick([500, 502, 503, 504]) }
    case 'error':
      return { kind: drawn, code: random.pick(transientCodes) }
    case 'total':
      return { kind: drawn, by: random.pick([1, -1]) }
    default:
      return { kind: drawn }
  }
}

const transientCodes = ['InternalError', 'FailedOperation.RequestTimedOut', 'ServiceUnavailable', 'FailedOperation']
