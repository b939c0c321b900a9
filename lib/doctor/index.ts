import type { Kysely } from 'kysely'
import { createBudget } from '../archive/budget'
import { type Clock, systemClock } from '../clock'
import type { Config } from '../config'
import type { Database } from '../db/tables'
import { createLcic } from '../lcic/client'
import { type Checked, type CheckOptions, runChecks } from './check'
import { databaseChecks } from './database-checks'
import { judgeCallbacks } from './judge-callbacks'
import { sourceChecks } from './source-checks'

export type { Checked } from './check'

export interface Examination extends Omit<CheckOptions, 'timeoutMs'> {
  readonly config: Config
  /** Opens the database; called once. Who opened it closes it. */
  readonly openDatabase: () => Promise<Kysely<Database>>
  readonly clock?: Clock
  readonly timeoutMs?: number
}

/**
 * Looks at all that archiving depends on, one thing after the other: LCIC and the database are asked, and nothing is
 * changed but the budget, of which each request to LCIC takes a slot.
 */
export async function* examine(examination: Examination): AsyncGenerator<Checked> {
  const { config, openDatabase, clock = systemClock, timeoutMs = 10_000, ...options } = examination
  const lcic = createLcic(config.lcic)
  let db: Kysely<Database> | undefined
  const database = databaseChecks({
    config,
    lcic,
    async open() {
      db = await openDatabase()
      return db
    },
  })
  const sound = new Set<string>()
  const source = sourceChecks({
    config,
    lcic,
    clock,
    budget: () => (db && sound.has('rights') ? budgetOf(db) : undefined),
  })
  let made: ReturnType<typeof createBudget> | undefined
  const budgetOf = (on: Kysely<Database>) => {
    made ??= createBudget({ db: on, lcic, clock, requestsPerSecond: config.requestsPerSecond })
    return made
  }
  // In this order because requests take slots of a budget that is in the database.
  const [credentials, ...rest] = source
  const callbacks = { name: 'callbacks', look: async () => judgeCallbacks(config.callback) }
  const checks = [...(credentials ? [credentials] : []), ...database, ...rest, callbacks]
  try {
    for await (const checked of runChecks(checks, { ...options, timeoutMs })) {
      if (checked.status === 'pass' || checked.status === 'warn') sound.add(checked.name)
      yield checked
    }
  } finally {
    lcic.close()
  }
}
