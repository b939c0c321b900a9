import { mostInAnySlidingSecond, type RequestLogEntry, startSimulator } from '../../lib/simulator'
import { planApiFaults } from './api-faults'
import type { CallbackAnswer } from './call-back'
import { refusals } from './checks/pace'
import type { Violation } from './checks/violation'
import { type Crew, startCrew } from './crew'
import { createDisturber } from './disturb'
import { writeEvidence } from './evidence'
import { prepareFullDisk } from './full-disk'
import { judge } from './judge'
import type { Plan } from './plan'
import { openPostgres, type Postgres } from './postgres'
import { openSchool } from './school'
import { settle } from './settle'
import { watch } from './watch'
import { openWay } from './way'

export interface RoundOptions {
  readonly plan: Plan
  /** The built command line. */
  readonly program: string
  /** Where PostgreSQL's data are, or are going to be. */
  readonly databaseDirectory: string
  /** Empty; takes the logs, and what there is to see of violations. */
  readonly directory: string
  readonly signal?: AbortSignal
}

export interface RoundResult {
  readonly seed: number
  readonly seconds: number
  /** What was done, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly rooms: number
  readonly archived: number
  /** Those that were archived while things still went wrong. */
  readonly archivedAmid: number
  readonly requests: number
  /** Requests for statistics within any second, as they arrived: those that were refused are among them. */
  readonly mostInASecond: number
  readonly refusals: number
  /** How often the archive was looked at. */
  readonly looks: number
  /** How callbacks, forged ones included, were answered, by status. */
  readonly callbacks: Readonly<Record<string, number>>
  /** How processes of workers ended, by exit code or signal. */
  readonly ends: Readonly<Record<string, number>>
  /** The most that one of them took. */
  readonly peakMb: number
  readonly violations: readonly Violation[]
}

/** Plays a plan through, and tells which promises were not kept. @throws the signal's reason once aborted */
export async function playRound({
  plan,
  program,
  directory,
  databaseDirectory,
  signal,
}: RoundOptions): Promise<RoundResult> {
  const { seed, shape, rooms } = plan
  await using postgres = await openPostgres(databaseDirectory, `torture_${seed}`)
  await prepareFullDisk(postgres.db())
  const startedAt = Date.now()
  const school = openSchool(rooms, startedAt)
  const faults = planApiFaults(seed, shape)
  const simulator = await startSimulator({ school, seed, faults, latencyMs: { min: 10, max: 80 } })
  try {
    await using toApi = await openWay(() => simulator.port)
    await using toDatabase = await openWay(() => postgres.port())
    await using crew = await startCrew({ plan, program, directory, startedAt, postgres, toApi, toDatabase, simulator })
    const watching = watch(postgres, crew)
    const disturber = createDisturber({ plan, school, postgres, toApi, toDatabase, crew, signal })
    let archivedAmid = 0
    let unsettled: Violation[]
    try {
      await disturber.play()
      archivedAmid = await countArchived(postgres)
      simulator.setFaults(undefined)
      unsettled = await settle({ plan, postgres, crew, signal }, [...disturber.changes.keys()])
      await disturber.aftermath()
    } finally {
      await watching.stop()
    }
    const { looks, violations: seen } = await watching.stop()
    await crew.end()

    const { requests, credentials } = simulator
    const secrets = [postgres.password, credentials.secretKey, crew.callbackKey]
    const judged = await judge({ db: postgres.db(), school, requests, crew, directory, secrets, ...disturber })
    const violations = [...seen, ...unsettled, ...judged]
    if (violations.length > 0) await writeEvidence({ directory, plan, violations, requests, db: postgres.db() })
    return {
      seed,
      seconds: (Date.now() - startedAt) / 1000,
      faults: { ...disturber.counts, ...apiFaultCounts(requests) },
      rooms: rooms.length,
      archived: await countArchived(postgres),
      archivedAmid,
      requests: requests.length,
      mostInASecond: mostInAnySlidingSecond(requests.filter(({ action }) => action === 'DescribeRoomStatistics')),
      refusals: refusals(requests).length,
      looks,
      callbacks: tally(crew.answers, statusOf),
      ends: tally(crew.ends(), ({ exitCode, signal: name }) => String(name ?? exitCode)),
      peakMb: peakOf(crew),
      violations,
    }
  } finally {
    await simulator.close()
  }
}

async function countArchived(postgres: Postgres): Promise<number> {
  return (await postgres.db().selectFrom('archive.rooms').select('room_id').execute()).length
}

function apiFaultCounts(requests: readonly RequestLogEntry[]): Record<string, number> {
  return tally(
    requests.filter(({ fault }) => fault !== undefined),
    ({ fault }) => `api ${fault}`,
  )
}

function statusOf({ status }: CallbackAnswer): string {
  return status === undefined ? 'no answer' : String(status)
}

function peakOf(crew: Crew): number {
  return Math.round(Math.max(0, ...crew.memory().map(({ peakMb }) => peakMb)))
}

function tally<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1
  return counts
}
