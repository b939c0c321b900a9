import { createWriteStream, openSync, readFileSync } from 'node:fs'
import { Command } from 'commander'
import { UsageError } from '../errors'
import {
  faultKinds,
  mostInAnySlidingSecond,
  type RequestLogEntry,
  readScenario,
  type Scenario,
  type Simulator,
  schoolDay,
  simulatorOptions,
  startSimulator,
} from '../simulator'
import { duration, wholeNumber } from './arguments'
import { counted, print, printJson, remark } from './output'
import { untilInterrupted } from './signals'

interface SimulateOptions {
  readonly port: number
  readonly scenario?: string
  readonly seed?: number
  readonly rooms?: number
  readonly rate?: number
  readonly latency?: number
  readonly faults?: number
  readonly log?: string
  readonly json?: boolean
}

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('run a stand-in for LCIC on this machine, strict as the real one, until Ctrl-C')
    .option('--port <port>', 'where to listen on 127.0.0.1', wholeNumber(0, 65535), 9701)
    .option('--scenario <file>', 'a JSON file that describes rooms, limits and faults (default: a day at a school)')
    .option('--seed <number>', 'what names, numbers and faults are drawn from', wholeNumber(0, 999_999_999))
    .option('--rooms <number>', 'how many ordinary rooms to draw, beside special ones', wholeNumber(0, 1_000_000))
    .option(
      '--rate <requests>',
      'requests a second it allows for each action, 0 for any number',
      wholeNumber(0, 1_000_000),
    )
    .option('--latency <duration>', 'how long each answer takes', duration)
    .option(
      '--faults <percent>',
      `share of requests that go wrong, in any of these ways: ${faultKinds.join(', ')}`,
      wholeNumber(0, 100),
    )
    .option('--log <file>', 'write each request, with its time of arrival, to this file as a line of JSON')
    .option('--json', 'print where it listens, and its rooms, as one JSON document')
    .addHelpText(
      'after',
      `
A scenario file, for example:
  {"ordinaryRooms": 40, "latencyMs": {"min": 20, "max": 80}, "requestsPerSecond": 20,
   "faults": {"rate": 0.1, "kinds": ["reset", "truncate", "shift"]},
   "rooms": [{"roomId": 5000000001, "members": 2500, "notReadyAnswers": 2},
             {"members": 30, "overrunMinutes": 180}, {"fate": "missing"}, {"fate": "expired"}]}

Examples:
  $ lcic-archive simulate
  $ lcic-archive simulate --rooms 1000 --rate 20 --faults 10 --log requests.jsonl
`,
    )
    .action(async (options: SimulateOptions) => {
      const { port, log, json } = options
      const logFile = log === undefined ? undefined : openLog(log)
      const simulator = await startSimulator({ ...simulatorOptions(scenarioOf(options), Date.now()), port }).catch(
        (cause: unknown) => {
          throw new UsageError('E_USAGE', `--port ${port}: ${cause instanceof Error ? cause.message : cause}`, {
            cause,
          })
        },
      )
      const stopLog = logFile === undefined ? undefined : writeLog(simulator, logFile)
      if (json) printJson(description(simulator))
      else announce(simulator)
      await untilInterrupted()
      const { requests } = simulator
      await simulator.close()
      await stopLog?.()
      remark(
        `${counted(requests.length, 'request')} served, at most ${mostInAnySlidingSecond(requests)} in any second.`,
      )
    })
}

function scenarioOf({ scenario: file, seed, rooms, rate, latency, faults }: SimulateOptions): Scenario {
  const scenario = file === undefined ? schoolDay : readScenario(readText(file))
  return {
    ...scenario,
    ...(seed !== undefined && { seed }),
    ...(rooms !== undefined && { ordinaryRooms: rooms }),
    ...(rate !== undefined && { requestsPerSecond: rate }),
    ...(latency !== undefined && { latencyMs: latency }),
    ...(faults !== undefined && { faults: { rate: faults / 100, kinds: [...faultKinds] } }),
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(
      'E_USAGE',
      `--scenario: ${file} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
}

function description({ endpoint, credentials, school }: Simulator) {
  const rooms = [...school.rooms.values()]
  return {
    endpoint,
    secret_id: credentials.secretId,
    secret_key: credentials.secretKey,
    sdk_app_id: school.sdkAppId,
    rooms: rooms.map(({ roomId, name, fate, members }) => ({ room_id: roomId, name, fate, members: members.length })),
  }
}

function announce({ endpoint, credentials, school }: Simulator): void {
  remark(
    `A stand-in for LCIC listens on ${endpoint} with ${counted(school.rooms.size, 'simulated room')}, until Ctrl-C. In another shell:`,
  )
  print(`export LCIC_ENDPOINT=${endpoint}`)
  print(`export TENCENTCLOUD_SECRET_ID=${credentials.secretId} TENCENTCLOUD_SECRET_KEY=${credentials.secretKey}`)
  print(`export LCIC_SDK_APP_IDS=${school.sdkAppId}`)
  print('npx lcic-archive sweep && npx lcic-archive run --until-idle')
}

/** Before anything listens. */
function openLog(file: string): number {
  try {
    return openSync(file, 'w')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause
    throw new UsageError('E_USAGE', `--log: ${file} cannot be written: ${reason}`, { cause })
  }
}

/** Appends what has arrived since, every fifth of a second. */
function writeLog({ requests }: Simulator, fd: number): () => Promise<void> {
  const stream = createWriteStream('', { fd })
  stream.on('error', (error) => remark(`--log: ${error.message}`))
  let written = 0
  const flush = () => {
    for (; written < requests.length; written++) stream.write(`${logLine(requests[written])}\n`)
  }
  const timer = setInterval(flush, 200)
  return () => {
    clearInterval(timer)
    flush()
    return new Promise((resolve) => stream.end(resolve))
  }
}

function logLine(entry: RequestLogEntry | undefined): string {
  return JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}
