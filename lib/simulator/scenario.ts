import type * as z from 'zod'
import { toDotPath } from 'zod/v4/core'
import { generateSchool } from './generation'
import { type roomSchema, scenarioSchema } from './scenario-schema'
import { type RoomDescription, School } from './school'
import type { SimulatorOptions } from './server'

/** A school and how its API behaves, as a scenario file describes them. */
export type Scenario = z.input<typeof scenarioSchema>

/** A scenario file that cannot be used; the message names each place and what is wrong there. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
  readonly code = 'SCENARIO_INVALID'
}

/**
 * Reads a scenario file.
 *
 * @param text JSON
 * @throws ScenarioError
 * @example
 * readScenario('{"ordinaryRooms": 10, "rooms": [{"members": 2500, "notReadyAnswers": 2}]}')
 */
export function readScenario(text: string): Scenario {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ScenarioError(`The scenario is not valid JSON: ${reason}. Write an object such as ${example}`, {
      cause: error,
    })
  }
  return checked(parsed)
}

/**
 * The school of a scenario as it stands at `nowMs`: the drawn rooms have all ended, the described ones are where their
 * times put them.
 *
 * @throws ScenarioError
 */
export function schoolFromScenario(scenario: Scenario, nowMs: number): School {
  const { seed, sdkAppId, ordinaryRooms, hours, sizes, readyAfterSeconds, rooms } = checked(scenario)
  const app = sdkAppId === undefined ? {} : { sdkAppId }
  const school = new School({ ...app, nowMs })
  // The longest class that is drawn takes 90 minutes and overruns by 40.
  const longestSeconds = 130 * 60 + readyAfterSeconds
  const spanMs = Math.max(hours * 3_600_000 - longestSeconds * 1000, 3_600_000)
  const from = Math.floor((nowMs - longestSeconds * 1000 - spanMs) / quarterHourMs) * quarterHourMs
  const plan = { seed, rooms: ordinaryRooms, from, days: spanMs / 86_400_000, readyAfterSeconds }
  for (const [roomId, room] of generateSchool({ ...plan, ...app, ...(sizes && { sizes }) }).rooms) {
    school.rooms.set(roomId, room)
  }
  rooms.forEach((room, index) => {
    const description = describe(room, nowMs, readyAfterSeconds)
    if (description.roomId !== undefined && school.rooms.has(description.roomId)) {
      throw new ScenarioError(
        `rooms[${index}].roomId: there is a room ${description.roomId} already; choose another id`,
      )
    }
    school.addRoom(description)
  })
  return school
}

/** What a scenario says about the API: everything that `startSimulator` takes besides the place it listens at. */
export function simulatorOptions(scenario: Scenario, nowMs: number): SimulatorOptions {
  const { seed, requestsPerSecond, latencyMs, faults } = checked(scenario)
  return {
    school: schoolFromScenario(scenario, nowMs),
    seed,
    ...(requestsPerSecond !== undefined && { requestsPerSecond: withoutAbsent(requestsPerSecond) }),
    ...(latencyMs !== undefined && { latencyMs }),
    ...(faults && { faults }),
  }
}

const quarterHourMs = 15 * 60_000

const example = '{"ordinaryRooms": 40, "rooms": [{"members": 2500}]}'

function checked(scenario: unknown): z.output<typeof scenarioSchema> {
  const result = scenarioSchema.safeParse(scenario)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => {
    const mend = issue.code === 'unrecognized_keys' ? '; remove it or correct its spelling' : ''
    return `  ${toDotPath(issue.path) || 'the whole'}: ${issue.message}${mend}`
  })
  throw new ScenarioError(`The scenario cannot be used:\n${problems.join('\n')}`, { cause: result.error })
}

function describe(room: z.output<typeof roomSchema>, nowMs: number, readyAfterSeconds: number): RoomDescription {
  const { roomId, endedMinutesAgo, minutes, overrunMinutes, readyAfterSeconds: ownSeconds, ...told } = room
  const scheduledEndAt = Math.floor(nowMs / 60_000 - endedMinutesAgo) * 60
  const scheduledStartAt = scheduledEndAt - minutes * 60
  const realEndAt = scheduledEndAt + Math.round(overrunMinutes * 60)
  const held = told.fate !== 'expired'
  return {
    ...(roomId !== undefined && { roomId: BigInt(roomId) }),
    ...withoutAbsent(told),
    scheduledStartAt,
    scheduledEndAt,
    ...(held && { realEndAt, readyAt: realEndAt + (ownSeconds ?? readyAfterSeconds) }),
  }
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }

function withoutAbsent<T>(value: T): Present<T> {
  if (typeof value !== 'object' || value === null) return value as Present<T>
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Present<T>
}
