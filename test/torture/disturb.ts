import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { School } from '../../lib/simulator'
import { forgeries } from './call-back'
import type { Crew } from './crew'
import { fillable, setFullDisk } from './full-disk'
import { type Plan, TOLERATED_SHIFT_MS } from './plan'
import type { PlannedEvent } from './plan-events'
import type { PlannedRoom } from './plan-rooms'
import type { Ending, Postgres } from './postgres'
import { changeMembers } from './school'
import type { Disturbance } from './shape'
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

/** Rooms that nobody but forgers knows. */
const FORGED_ROOMS = 990_000_000n

/** Has a plan come true, each event at its time whatever the others are at. */
export function createDisturber(scene: Scene): Disturber {
  const { plan, school, postgres, toApi, toDatabase, crew, signal } = scene
  const counts: Record<string, number> = {}
  const changes = new Map<bigint, number>()
  /** PostgreSQL is restarted by one at a time. */
  let restarting: Promise<void> = Promise.resolve()
  let forged = 0n
  let startedAt = 0

  function restart(ending: Ending): Promise<void> {
    restarting = restarting.then(() => postgres.restart(ending))
    return restarting
  }

  /** Does something with the database; where that is away at this moment, the event comes to nothing. */
  async function ifThere(act: () => Promise<unknown>): Promise<void> {
    await restarting
    await act().catch(() => undefined)
  }

  /** What was begun is ended, if the database was away for a moment, too. */
  async function insist(act: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; tries < 50; tries++) {
      try {
        await restarting
        await act()
        return
      } catch {
        await delay(200)
      }
    }
    throw new Error('The database of the round is gone for good.')
  }

  async function slowDown(way: Way, { forMs, draw }: PlannedEvent): Promise<void> {
    way.slowDown(20 + Math.floor(draw * 400))
    await delay(forMs)
    way.slowDown(0)
  }

  function pick<T>(items: readonly T[], draw: number): T {
    return items[Math.floor(draw * items.length)] as T
  }

  const acts: Record<Disturbance, (event: PlannedEvent) => unknown> = {
    kill: ({ draw }) => pick(crew.workers, draw).kill(),
    async stop({ draw, forMs }) {
      const worker = pick(crew.workers, draw)
      const pid = worker.pid()
      const frozen = worker.freeze(forMs)
      await delay(forMs / 2)
      // As if it had been for longer than a lease lasts: others take its rooms, and it has to notice when it wakes up.
      await ifThere(() => endLeases(postgres, pid))
      await frozen
    },
    'restart-fast': () => restart('SIGINT'),
    'restart-immediate': () => restart('SIGQUIT'),
    'kill-postmaster': () => restart('SIGKILL'),
    'kill-backend': ({ draw }) => ifThere(() => postgres.killBackend(draw)),
    'terminate-backends': () => ifThere(() => postgres.terminateBackends()),
    async 'disk-full'({ draw, forMs }) {
      const table = pick(fillable, draw)
      await ifThere(() => setFullDisk(postgres.db(), table, true))
      await delay(forMs)
      await insist(() => setFullDisk(postgres.db(), table, false))
    },
    'row-locked': ({ draw, forMs }) => ifThere(() => lockJob(postgres, pick(plan.rooms, draw).roomId, forMs)),
    'budget-locked': ({ forMs }) => ifThere(() => lockBudgets(postgres, forMs)),
    'api-silent': ({ draw }) => toApi.fallSilent(Math.max(0.3, draw)),
    'api-slow': (event) => slowDown(toApi, event),
    'api-reset': () => toApi.reset(),
    // All of them, and the rest of the round would be spent on waiting.
    'database-silent': ({ draw }) => toDatabase.fallSilent(Math.max(0.2, draw / 2)),
    'database-slow': (event) => slowDown(toDatabase, event),
    'database-reset': () => toDatabase.reset(),
    'forged-callback': ({ draw }) => crew.callBack(pick(forgeries, draw), FORGED_ROOMS + forged++),
    'repeated-callback': ({ draw }) => crew.callBack('true', pick(plan.rooms, draw).roomId),
  }

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
            return acts[event.kind](event)
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
      await Promise.all(played)
      await restarting
    },
  }
}

/** Those that a process of this machine holds; what it has locked besides is left to it. */
async function endLeases(postgres: Postgres, pid: number | undefined): Promise<void> {
  await sql`
    update archive.jobs set lease_until = now()
    where room_id = any (array(
      select room_id from archive.jobs where leased_by like ${`%:${pid}:%`} for update skip locked))`.execute(
    postgres.db(),
  )
}

/** Nobody can reserve a slot meanwhile. */
async function lockBudgets(postgres: Postgres, forMs: number): Promise<void> {
  await postgres
    .db()
    .transaction()
    .execute(async (tx) => {
      await sql`select from archive.budgets for update`.execute(tx)
      await delay(forMs)
    })
}

/** Somebody looks at a job, and takes their time. */
async function lockJob(postgres: Postgres, roomId: bigint, forMs: number): Promise<void> {
  await postgres
    .db()
    .transaction()
    .execute(async (tx) => {
      await sql`select from archive.jobs where room_id = ${roomId} for update`.execute(tx)
      await delay(forMs)
    })
}
