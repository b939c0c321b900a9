import { type Action, documentedLimits, mostInAnySlidingSecond, type RequestLogEntry } from '../../../lib/simulator'
import type { Violation } from './violation'

const actions = Object.keys(documentedLimits) as Action[]

/** Jitter on the way has a request refused now and then; more than this share of them, and the pace itself is wrong. */
const REFUSED_SHARE = 0.04

/** So few prove nothing. */
const FEW = 8

/** No more requests of an action within any second than the limit allows, as the server counts those that it admits. */
export function findOverLimit(requests: readonly RequestLogEntry[]): Violation[] {
  const problems = actions.flatMap((action) => {
    const most = mostInAnySlidingSecond(requests.filter((request) => request.action === action && isAdmitted(request)))
    return most <= documentedLimits[action]
      ? []
      : `${most} ${action} within a second; ${documentedLimits[action]} are allowed`
  })
  const refused = refusals(requests).length
  if (refused > FEW && refused > requests.length * REFUSED_SHARE)
    problems.push(`${refused} of ${requests.length} requests were refused as too many`)
  return problems.map((what) => ({ check: 'over the limit', what }))
}

/** Refused because there were too many; those that the plan of faults refuses are not. */
export function refusals(requests: readonly RequestLogEntry[]): RequestLogEntry[] {
  return requests.filter(({ outcome, fault }) => outcome === 'RequestLimitExceeded' && fault === undefined)
}

function isAdmitted(request: RequestLogEntry): boolean {
  const { outcome, fault } = request
  if (fault !== undefined) return true
  // Neither a request that never came whole nor one of an unknown sender is counted.
  return !/^(RequestLimitExceeded|AuthFailure|pending$|aborted$)/.test(outcome)
}
