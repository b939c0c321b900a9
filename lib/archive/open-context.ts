import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { systemClock } from '../clock'
import type { Config } from '../config'
import { databaseTime } from '../db/instant'
import type { Database } from '../db/tables'
import { createLcic } from '../lcic/client'
import { createBudget } from './budget'
import type { ArchiveContext } from './context'

/** What archiving needs, on an open database: LCIC and the budget as configured, the machine's clock, the database's time. */
export function openContext(
  config: Config,
  { db, log }: { db: Kysely<Database>; log: Logger },
): ArchiveContext & Disposable {
  const lcic = createLcic(config.lcic)
  const { requestsPerSecond, giveUpAfterMs, rereadAfterMs, personalData } = config
  return {
    db,
    lcic,
    budget: createBudget({ db, lcic, clock: systemClock, requestsPerSecond }),
    clock: systemClock,
    now: () => databaseTime,
    policy: {
      giveUpAfterMs,
      ...(rereadAfterMs !== undefined && { rereadAfterMs }),
      ...(personalData && { personalData }),
    },
    log,
    [Symbol.dispose]: () => lcic.close(),
  }
}
