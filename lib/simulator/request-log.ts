import type { FaultKind } from './faults'
import { randomFrom } from './random'

/** One request as the server saw it. */
export interface RequestLogEntry {
  /** In order of arrival, from 1. */
  sequence: number
  /** Milliseconds since the Unix epoch, fractional, when the request's headers arrived. */
  arrivedAtMs: number
  /** The X-TC-Action header, whatever it said. */
  action: string
  roomId?: bigint
  page?: number
  limit?: number
  /** `pending` until decided; then `OK`, the error code, or the kind of the fault that spoilt the answer. */
  outcome: string
  /** The fault that was applied, also where the answer was right in the end (`delay`) or an error code (`error`). */
  fault?: FaultKind
  /** How many records or rooms were listed. */
  records?: number
  requestId: string
}

/** The RequestId of a request: a UUID (version 4 in form) that the seed and the sequence determine. */
export function requestIdOf(seed: number, sequence: number): string {
  const random = randomFrom('request', seed, sequence)
  const hex = (length: number) => Array.from({ length }, () => random.int(0, 15).toString(16)).join('')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${random.pick([...'89ab'])}${hex(3)}-${hex(12)}`
}
