import { readFile } from 'node:fs/promises'
import type { Kysely } from 'kysely'
import type { Database } from '../../lib/db/tables'
import type { RequestLogEntry, School } from '../../lib/simulator'
import { scanLogs } from '../support/log-scan'
import { findCallbackTrouble } from './checks/callbacks'
import { findMemoryTrouble } from './checks/memory'
import { findDoubled } from './checks/once'
import { findOverLimit } from './checks/pace'
import { findDifferences } from './checks/source'
import type { Violation } from './checks/violation'
import { findInvisibleErrors } from './checks/visible-errors'
import { judgeEnd } from './checks/worker-ends'
import type { Crew } from './crew'

export interface Remains {
  readonly db: Kysely<Database>
  readonly school: School
  readonly requests: readonly RequestLogEntry[]
  readonly crew: Crew
  /** Where the logs are. */
  readonly directory: string
  /** Texts that must not be in them. */
  readonly secrets: readonly string[]
  /** How often a room's source has changed. */
  readonly changes: ReadonlyMap<bigint, number>
}

/** Every check of what a round has left behind, once all workers have ended. */
export async function judge(remains: Remains): Promise<Violation[]> {
  const { db, school, requests, crew, directory, secrets, changes } = remains
  const { leaks } = await scanLogs(directory, secrets)
  const ends = crew.ends().map(async (end) => judgeEnd(end, await readFile(end.logFile, 'utf8')))
  return [
    ...findOverLimit(requests),
    ...(await findDifferences(db, school)),
    ...(await findDoubled(db, changes)),
    ...(await findInvisibleErrors(db, changes)),
    ...(await findCallbackTrouble(db, crew.answers)),
    ...findMemoryTrouble(crew.memory()),
    ...(await Promise.all(ends)).flat(),
    ...leaks.map(({ what, line }): Violation => ({ check: 'log', what: `${what} is in: ${line}` })),
  ]
}
