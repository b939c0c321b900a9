import { setTimeout as delay } from 'node:timers/promises'
import type { School } from '../../lib/simulator'
import { createActs } from './acts'
import type { Crew } from './crew'
import { type Plan, TOLERATED_SHIFT_MS } from './plan'
import type { PlannedRoom } from './plan-rooms'
import type { Postgres } from './postgres'
import { changeMembers } from './school'
import type { Way } from './way'

export interface Scene {
  readonly plan: Plan
  readonly school: School
  readonly postgres: Postgres
  readonly toApi: Way
  readonly toDatabase: Way
  readonly crew: Crew
  readonly signal?: AbortSignal | undefined
}

export interface Disturber {
  /** Plays the plan's events; returns once all of them are over. */
  play(): Promise<void>
  /** Waits until what went silent must have been noticed by those who were connected. */
  aftermath(): Promise<void>
  /** What was done, by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** How often a room's source has changed. */
  readonly changes: ReadonlyMap<bigint, number>
}

/** A worker takes a connection to its database for dead after a minute of silence. */
const NOTICED_MS = 65_000

/** Has a plan come true, each event at its time whatever the others are at. */
export function createDisturber(scene: Scene): Disturber {
  const { plan, school, crew, signal } = scene
  const acts = createActs(scene)
  const counts: Record<string, number> = {}
  const changes = new Map<bigint, number>()
  let startedAt = 0

  function count(kind: string): void {
    counts[kind] = (counts[kind] ?? 0) + 1
  }

  async function change({ roomId, loses }: PlannedRoom): Promise<void> {
    const room = school.rooms.get(roomId)
    if (!room) return
    changeMembers(room, { loses })
    changes.set(roomId, (changes.get(roomId) ?? 0) + 1)
    count('source-changed')
    // Somebody is told of it, and has the room read again; where that fails it is done once more in the end.
    await crew.command(['archive', String(roomId), '--wait', '5s'])
  }

  return {
    counts,
    changes,
    async aftermath() {
      const silences = plan.events.filter(({ kind }) => kind === 'database-silent').map(({ atMs }) => atMs + NOTICED_MS)
      const waitMs = Math.max(0, ...silences) - (performance.now() - startedAt)
      await delay(Math.max(0, waitMs), undefined, signal ? { signal } : {})
    },
    async play() {
      startedAt = performance.now()
      const at = async (atMs: number, act: () => unknown) => {
        await delay(Math.max(0, atMs - (performance.now() - startedAt)), undefined, signal ? { signal } : {})
        await act()
      }
      const played = [
        ...plan.events.map((event) =>
          at(event.atMs, () => {
            count(event.kind)
            return acts.perform(event)
          }),
        ),
        ...plan.rooms.flatMap((room) => [
          ...(room.calledBackAtMs === undefined
            ? []
            : [at(room.calledBackAtMs, () => crew.callBack('true', room.roomId))]),
          ...(room.changesAtMs === undefined ? [] : [at(room.changesAtMs, () => change(room))]),
        ]),
        at(plan.shape.faultsMs, () => undefined),
      ]
      for (const { shiftMs } of plan.clocks)
        count(Math.abs(shiftMs) > TOLERATED_SHIFT_MS ? 'clock-far-off' : 'clock-off')
      try {
        await Promise.all(played)
      } finally {
        // Who stops in the midst of it must not leave a server behind that is just being started.
        await acts.calm()
      }
    },
  }
}
