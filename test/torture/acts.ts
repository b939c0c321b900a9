import { setTimeout as delay } from 'node:timers/promises'
import { FORGED_ROOMS, forgeries } from './call-back'
import type { Scene } from './disturb'
import { fillable, setFullDisk } from './full-disk'
import { endLeases, lockBudgets, lockJob } from './locks'
import type { PlannedEvent } from './plan-events'
import type { Ending } from './postgres'
import type { Disturbance } from './shape'
import type { Way } from './way'

export interface Acts {
  /** Has an event happen; resolves once it is over. */
  perform(event: PlannedEvent): Promise<void>
  /** Resolves once PostgreSQL is not being restarted. */
  calm(): Promise<void>
}

/** What each kind of event is. */
export function createActs({ plan, postgres, toApi, toDatabase, crew }: Scene): Acts {
  /** PostgreSQL is restarted by one at a time. */
  let restarting: Promise<void> = Promise.resolve()
  let forged = 0n

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
    async 'read-only'({ forMs }) {
      await ifThere(() => postgres.setReadOnly(true))
      await delay(forMs)
      await insist(() => postgres.setReadOnly(false))
    },
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

  return {
    async perform(event) {
      await acts[event.kind](event)
    },
    calm: () => restarting,
  }
}
