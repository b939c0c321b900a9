import { type Random, randomFrom } from '../../lib/simulator/random'
import type { PlannedRoom } from './plan-rooms'
import type { Disturbance, RoundShape } from './shape'

/** Something that happens at a moment of the round; times count from its start. */
export interface PlannedEvent {
  readonly atMs: number
  readonly kind: Disturbance
  /** How long it lasts, where it does. */
  readonly forMs: number
  /** From 0 to 1: which worker, connection, room or kind of forgery. */
  readonly draw: number
}

/** The part of the time for faults in which a disturbance may begin, and milliseconds that it lasts. */
const habits: Record<Disturbance, { from?: number; to?: number; leastMs?: number; mostMs?: number }> = {
  kill: {},
  stop: { to: 0.5, leastMs: 5000, mostMs: 20_000 },
  // After each of these everybody begins anew: what else goes wrong has to meet them at work, too.
  'restart-fast': { to: 0.6 },
  'restart-immediate': { to: 0.6 },
  'kill-backend': { to: 0.6 },
  'kill-postmaster': { to: 0.6 },
  'terminate-backends': { to: 0.6 },
  'read-only': { to: 0.6, leastMs: 1000, mostMs: 4000 },
  'disk-full': { leastMs: 1000, mostMs: 5000 },
  'row-locked': { leastMs: 1000, mostMs: 4000 },
  'budget-locked': { leastMs: 500, mostMs: 3000 },
  // A request waits 30 s for its answer, a worker 60 s for its database: begun early, they are over in the round.
  'api-silent': { from: 0.1, to: 0.3 },
  'api-slow': { leastMs: 2000, mostMs: 5000 },
  'api-reset': {},
  'database-silent': { from: 0.04, to: 0.12 },
  'database-slow': { leastMs: 2000, mostMs: 5000 },
  'database-reset': {},
  'forged-callback': {},
  'repeated-callback': {},
}

export function planEvents(
  seed: number,
  { events, faultsMs }: RoundShape,
  rooms: readonly PlannedRoom[],
): PlannedEvent[] {
  const kinds = Object.keys(events) as Disturbance[]
  return kinds
    .flatMap((kind) => {
      // Each kind draws for itself: another number of one leaves the others where they are.
      const random = randomFrom('torture events', seed, kind)
      return Array.from({ length: rooms.length > 0 ? events[kind] : 0 }, () => planEvent(kind, faultsMs, random))
    })
    .sort((a, b) => a.atMs - b.atMs)
}

function planEvent(kind: Disturbance, faultsMs: number, random: Random): PlannedEvent {
  const { from = 0.05, to = 0.9, leastMs = 0, mostMs = 0 } = habits[kind]
  // In a short round everything is shorter.
  const longest = Math.min(mostMs, faultsMs / 2)
  return {
    kind,
    atMs: Math.round(faultsMs * (from + random.next() * (to - from))),
    forMs: random.int(Math.min(leastMs, longest / 2), longest),
    draw: random.next(),
  }
}
