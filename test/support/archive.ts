import type { Logger } from 'pino'
import { archiveRoom, type RoomReport } from '../../lib/archive/archive-room'
import { createBudget } from '../../lib/archive/budget'
import type { ArchiveContext, Patience, Policy } from '../../lib/archive/context'
import { type Clock, systemClock } from '../../lib/clock'
import { createLcic } from '../../lib/lcic/client'
import { School, type Simulator, type SimulatorOptions, startSimulator } from '../../lib/simulator'
import { createTestDatabase, type PostgresVersion, type TestDatabase } from './database'
import { hastyClock } from './hasty-clock'
import { keepOutOfLogs, keepSchoolOutOfLogs, testLog } from './log-directory'

/** A database, a simulator without a limit unless one is given, and what archives the one into the other. */
export interface TestArchive extends TestDatabase {
  readonly simulator: Simulator
  readonly school: School
  readonly context: ArchiveContext
  archive(roomId: bigint, patience?: Partial<Patience>): Promise<RoomReport>
  close(): Promise<void>
}

interface TestArchiveOptions extends Partial<Omit<SimulatorOptions, 'clock' | 'requestsPerSecond'>> {
  readonly version?: PostgresVersion
  /** The archive's clock; by default one on which nobody waits. */
  readonly clock?: Clock
  /** The school's clock; the machine's by default. Requests are signed by the machine's in any case. */
  readonly schoolClock?: Clock
  /** By default one that is looked through once all tests are over. */
  readonly log?: Logger
  /** The archive's budget. */
  readonly requestsPerSecond?: number
  /** The simulator's limit, requests a second; none by default. */
  readonly limit?: number
  /** By default a room is given up after a week, and archived ones are not read again by themselves. */
  readonly policy?: Policy
}

export async function openTestArchive({
  version = 18,
  clock = hastyClock,
  schoolClock = systemClock,
  log = testLog(),
  requestsPerSecond = 100_000,
  limit = 0,
  policy = { giveUpAfterMs: 7 * 86_400_000 },
  ...options
}: TestArchiveOptions = {}): Promise<TestArchive> {
  const database = await createTestDatabase(version)
  const school = options.school ?? new School()
  const simulator = await startSimulator({
    ...options,
    clock: schoolClock,
    gatewayClock: systemClock,
    requestsPerSecond: limit,
    school,
  })
  keepOutOfLogs([simulator.credentials.secretKey, simulator.credentials.token])
  const lcic = createLcic({ endpoint: new URL(simulator.endpoint), credentials: () => simulator.credentials })
  const { db } = database
  const budget = createBudget({ db, lcic, clock, requestsPerSecond })
  const context: ArchiveContext = {
    db,
    lcic,
    budget,
    clock,
    now: () => new Date(clock.now()),
    policy,
    log,
  }
  return {
    ...database,
    simulator,
    school,
    context,
    archive: (roomId, patience) => archiveRoom(context, roomId, { waitMs: 0, requestTimeoutMs: 2_000, ...patience }),
    async close() {
      keepSchoolOutOfLogs(school)
      lcic.close()
      await simulator.close()
      await database.drop()
    },
  }
}
