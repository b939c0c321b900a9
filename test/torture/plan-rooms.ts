import type { RoomFate } from '../../lib/simulator'
import { type Random, randomFrom } from '../../lib/simulator/random'
import type { RoundShape } from './shape'

/** A class, as the plan has it; times count from the start of the round. */
export interface PlannedRoom {
  readonly roomId: bigint
  readonly members: number
  readonly fate: RoomFate
  readonly endsAtMs: number
  /** From its end until LCIC has its statistics. */
  readonly readyAfterMs: number
  /** How often it is not ready besides. */
  readonly notReadyAnswers: number
  /** Whether a sweep can find it. */
  readonly listed: boolean
  /** When LCIC first calls back that it has ended; absent: never. */
  readonly calledBackAtMs?: number
  /** When its members change. */
  readonly changesAtMs?: number
  /** Whether one of them is gone then; that is believed once it is read twice. */
  readonly loses: boolean
}

/** One of them changes while its pages are read, perhaps. */
const changedSizes = [20, 1500, 31]

/** Ended long before the round. */
const LONG_AGO_MS = -1_800_000

export function planRooms(seed: number, { rooms, faultsMs }: RoundShape): PlannedRoom[] {
  const random = randomFrom('torture rooms', seed)
  const kinds: RoomKind[] = [
    ...rooms.sizes.map((members): RoomKind => ({ kind: 'ended', members })),
    ...Array.from({ length: rooms.ending }, (): RoomKind => ({ kind: 'ending', members: random.int(0, 60) })),
    ...Array.from({ length: rooms.expired }, (): RoomKind => ({ kind: 'expired', members: 0 })),
    ...Array.from({ length: rooms.missing }, (): RoomKind => ({ kind: 'missing', members: 10 })),
    ...Array.from(
      { length: rooms.changed },
      (_, index): RoomKind => ({ kind: 'changed', members: changedSizes[index % changedSizes.length] ?? 0 }),
    ),
  ]
  return shuffled(kinds, random).map((kind, index) => planRoom(kind, index, { random, faultsMs }))
}

interface RoomKind {
  readonly kind: 'ended' | 'ending' | 'expired' | 'missing' | 'changed'
  readonly members: number
}

function planRoom(
  { kind, members }: RoomKind,
  index: number,
  { random, faultsMs }: { random: Random; faultsMs: number },
): PlannedRoom {
  // Drawn for each, so that one kind of room more or less leaves the others' draws alone.
  const draw = () => random.next()
  const { width, share, ending, late, called } = {
    ...{ width: draw(), share: draw(), ending: draw() },
    ...{ late: draw(), called: draw() },
  }
  const base = width < 0.2 ? 5_000_000_000n : width < 0.4 ? 2_500_000_000n : 310_000_000n
  const endsAtMs = kind === 'ending' ? Math.round(ending * faultsMs * 0.9) : LONG_AGO_MS
  const listed = kind !== 'missing' && share < 0.6
  const soonest = Math.max(0, endsAtMs)
  const calledBackAtMs = Math.round(soonest + called * (faultsMs - soonest))
  return {
    roomId: base + BigInt(index) * 97n,
    members,
    fate: kind === 'expired' || kind === 'missing' ? kind : 'held',
    endsAtMs,
    readyAfterMs: kind === 'ending' ? Math.round(late * faultsMs * 0.3) : 0,
    notReadyAnswers: kind === 'ended' && late < 0.1 ? 1 + Math.floor(late * 30) : 0,
    listed,
    loses: share < 0.4,
    // Some of those that are listed are called back as well.
    ...((!listed || called < 0.3) && { calledBackAtMs }),
    ...(kind === 'changed' && { changesAtMs: Math.round(faultsMs * (0.5 + ending * 0.4)) }),
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
