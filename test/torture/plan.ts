import { randomFrom } from '../../lib/simulator/random'
import { type PlannedEvent, planEvents } from './plan-events'
import { type PlannedRoom, planRooms } from './plan-rooms'
import type { RoundShape } from './shape'

/** All that happens in a round, drawn before it begins: the same seed and shape give the same plan. */
export interface Plan {
  readonly seed: number
  readonly shape: RoundShape
  readonly rooms: readonly PlannedRoom[]
  /** In order of time. */
  readonly events: readonly PlannedEvent[]
  readonly clocks: readonly WrongClock[]
}

/** A worker's clock is wrong for a while. */
export interface WrongClock {
  readonly worker: number
  readonly fromMs: number
  readonly toMs: number
  /** Beyond five minutes LCIC refuses what the worker signs, and it has to say so and end. */
  readonly shiftMs: number
}

/** How far a clock may be off before LCIC refuses signatures. */
export const TOLERATED_SHIFT_MS = 300_000

export function planRound(seed: number, shape: RoundShape): Plan {
  const rooms = planRooms(seed, shape)
  return { seed, shape, rooms, events: planEvents(seed, shape, rooms), clocks: planClocks(seed, shape) }
}

function planClocks(seed: number, { clocks, workers, faultsMs }: RoundShape): WrongClock[] {
  const random = randomFrom('torture clocks', seed)
  return Array.from({ length: clocks }, (_, index) => {
    const fromMs = random.int(0, faultsMs / 2)
    // The first is off by minutes, the others by so much that nothing they sign is accepted.
    const size = index === 0 ? random.int(20_000, 240_000) : random.int(400_000, 80_000_000)
    return {
      worker: index % workers,
      fromMs,
      toMs: fromMs + random.int(faultsMs / 8, faultsMs / 3),
      shiftMs: random.chance(0.5) ? size : -size,
    }
  })
}
