import type { Fault, FaultPlan } from '../../lib/simulator'
import { randomFrom } from '../../lib/simulator/random'
import type { RoundShape } from './shape'

const everyFault: readonly Fault[] = [
  { kind: 'reset' },
  { kind: 'delay', ms: 300 },
  { kind: 'delay', ms: 3000 },
  { kind: 'truncate', framing: 'chunked' },
  { kind: 'html' },
  { kind: 'not-json' },
  { kind: 'empty-json' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 502 },
  { kind: 'status', status: 429 },
  { kind: 'status', status: 404 },
  { kind: 'error', code: 'InternalError' },
  { kind: 'error', code: 'FailedOperation' },
  { kind: 'error', code: 'ServiceUnavailable' },
  { kind: 'error', code: 'RequestLimitExceeded' },
  { kind: 'error', code: 'ResourceUnavailable.RoomStatistics' },
  { kind: 'error', code: 'NeverDocumented' },
  { kind: 'shift' },
  { kind: 'total', by: 1 },
  { kind: 'total', by: -1 },
  { kind: 'duplicate' },
]

/** The whole answer, or the rest of one, never comes: the SDK's client waits until its time is up. */
const waits: readonly Fault[] = [{ kind: 'hang' }, { kind: 'truncate', framing: 'length' }]

/** In how many of those that go wrong nothing comes. */
const WAITS_SHARE = 0.03

/**
 * Which answers go wrong. What becomes of the n-th request for a page is drawn from the seed, the room, the page and n: a
 * round that is played again meets the same faults there, in whatever order its requests arrive.
 */
export function planApiFaults(seed: number, { apiFaultRate, hangs }: RoundShape): FaultPlan {
  const asked = new Map<string, number>()
  return ({ action, roomId = 0n, page = 0 }) => {
    const place = `${action} ${roomId} ${page}`
    const times = (asked.get(place) ?? 0) + 1
    asked.set(place, times)
    const random = randomFrom('torture API', seed, place, times)
    if (!random.chance(apiFaultRate)) return undefined
    return random.pick(hangs && random.chance(WAITS_SHARE) ? waits : everyFault)
  }
}
