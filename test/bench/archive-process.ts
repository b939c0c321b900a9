import { pino } from 'pino'
import { archiveRoom } from '../../lib/archive/archive-room'
import { createBudget } from '../../lib/archive/budget'
import { systemClock } from '../../lib/clock'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { createLcic } from '../../lib/lcic/client'
import { runMeasured } from './measured'
import type { ArchiveTask } from './steps'

/** Archives the room once, as the product does it: from the first request to the commit. */
runMeasured(async ({ databaseUrl, endpoint, credentials, roomId }: ArchiveTask, measure) => {
  const db = connect({ url: databaseUrl })
  const lcic = createLcic({ endpoint: new URL(endpoint), credentials: () => credentials })
  const budget = createBudget({ db, lcic, clock: systemClock, requestsPerSecond: 100_000 })
  const log = pino({ level: 'error' }, pino.destination({ dest: 2, sync: true }))
  const begin = performance.now()
  let pullMs = 0
  const observe = () => {
    pullMs = performance.now() - begin
  }
  const policy = { giveUpAfterMs: 86_400_000 }
  const context = { db, lcic, budget, clock: systemClock, now: () => databaseTime, policy, log, observe }
  const { result, ...cost } = await measure(() => archiveRoom(context, BigInt(roomId), { waitMs: 0 }))
  lcic.close()
  await db.destroy()
  if (result.message !== undefined) throw new Error(result.message)
  return { ...cost, pullMs, rows: result.records, outcome: result.outcome }
})
