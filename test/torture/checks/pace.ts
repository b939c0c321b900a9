import { type Action, documentedLimits, mostInAnySlidingSecond, type RequestLogEntry } from '../../../lib/simulator'
import type { Violation } from './violation'

const actions = Object.keys(documentedLimits) as Action[]

/** No more requests of an action within any second than the limit allows, as the server counts those that it admits. */
export function findOverLimit(requests: readonly RequestLogEntry[]): Violation[] {
  return actions.flatMap((action): Violation[] => {
    const most = mostInAnySlidingSecond(requests.filter((request) => request.action === action && isAdmitted(request)))
    if (most <= documentedLimits[action]) return []
    return [
      { check: 'over the limit', what: `${most} ${action} within a second; ${documentedLimits[action]} are allowed` },
    ]
  })
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
