import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SimulatorCredentials } from './authentication'
import type { Action, FaultPlan } from './faults'
import { createGateway } from './gateway'
import { randomFrom } from './random'
import { type RequestLogEntry, requestIdOf } from './request-log'
import type { School } from './school'
import { receiveBody, sendReply } from './transport'

/** How the simulator behaves. Only the school is needed. */
export interface SimulatorOptions {
  school: School
  /** 0, the default, takes any free port. */
  port?: number | undefined
  /** 127.0.0.1 by default. */
  host?: string | undefined
  /** What RequestIds, latencies and faults are drawn from; 1 by default. */
  seed?: number
  /** The school's time: which classes have ended, which statistics are ready. The machine's by default. */
  clock?: { now(): number }
  /** The time that signatures are compared with and that the Date header gives; `clock` by default. */
  gatewayClock?: { now(): number }
  /** When requests arrive, for the limits and the log; by default the machine's, with fractions of a millisecond. */
  arrivalClock?: { now(): number }
  credentials?: SimulatorCredentials
  /** For all actions or for some; 0 and Infinity mean no limit. The API's own by default. */
  requestsPerSecond?: number | Partial<Record<Action, number>>
  latencyMs?: number | { min: number; max: number }
  faults?: FaultPlan
  /** Whether GetRooms compares its window with scheduled (the default) or with real times: the API leaves it open. */
  roomsWindow?: 'scheduled' | 'real'
  /** Promises that no record is changed in place, so that pages are encoded once. See {@link SimulatedRoom.frozen}. */
  frozen?: boolean
}

/** A running simulator. */
export interface Simulator {
  /** Such as `http://127.0.0.1:40123`. */
  endpoint: string
  port: number
  credentials: SimulatorCredentials
  school: School
  /** Every request, in order of arrival; may be emptied between two parts of a test. */
  requests: RequestLogEntry[]
  /** Replaces the plan of faults; undefined takes all faults away. */
  setFaults(plan: FaultPlan | undefined): void
  /** Stops listening and destroys every open connection, hanging ones too. */
  close(): Promise<void>
}

/** Credentials for those who bring none. */
export const simulatorCredentials: SimulatorCredentials = {
  secretId: 'simulated-secret-id',
  secretKey: 'simulated-secret-key',
}

/** The API's documented limits, requests a second. */
export const documentedLimits: Record<Action, number> = { DescribeRoomStatistics: 20, GetRooms: 20, DescribeRoom: 50 }

/** Starts a stand-in for LCIC's API over HTTP. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { school, host = '127.0.0.1', seed = 1, clock = { now: () => Date.now() } } = options
  const gatewayClock = options.gatewayClock ?? clock
  const arrivalClock = options.arrivalClock ?? { now: () => performance.timeOrigin + performance.now() }
  const credentials = options.credentials ?? simulatorCredentials
  const gateway = createGateway({
    school,
    seed,
    credentials,
    clock,
    gatewayClock,
    limits: limitsOf(options.requestsPerSecond),
    roomsWindow: options.roomsWindow ?? 'scheduled',
    frozen: options.frozen ?? false,
  })
  gateway.faults = options.faults
  const requests: RequestLogEntry[] = []
  const timers = new Set<NodeJS.Timeout>()
  let sequence = 0

  const server = createServer((request, response) => {
    const arrivedAtMs = arrivalClock.now()
    sequence += 1
    const action = String(request.headers['x-tc-action'] ?? '')
    const requestId = requestIdOf(seed, sequence)
    const entry: RequestLogEntry = { sequence, arrivedAtMs, action, outcome: 'pending', requestId }
    requests.push(entry)
    serve(request, response, entry).catch((error: unknown) => {
      entry.outcome = 'aborted'
      response.destroy(error instanceof Error ? error : undefined)
    })
  })
  // Longer than a client keeps an idle connection, so that it never meets one that is just being closed.
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    endpoint: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    credentials,
    school,
    requests,
    setFaults(plan) {
      gateway.faults = plan
    },
    async close() {
      for (const timer of timers) clearTimeout(timer)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }

  async function serve(request: IncomingMessage, response: ServerResponse, entry: RequestLogEntry): Promise<void> {
    // A client that goes away while it is being answered is its own business.
    response.on('error', () => {})
    const traceId = request.headers['x-tc-traceid']
    if (typeof traceId === 'string' && /^[\w-]{1,64}$/.test(traceId)) response.setHeader('x-tc-traceid', traceId)
    response.setHeader('date', new Date(gatewayClock.now()).toUTCString())
    const body = await receiveBody(request)
    const { pathname, search } = splitUrl(request.url ?? '/')
    const { method = '', headers } = request
    const reply = gateway.answer({ method, path: pathname, query: search, headers, body }, entry)
    const waitMs = latencyOf(entry.sequence) + (reply.fault?.kind === 'delay' ? reply.fault.ms : 0)
    if (waitMs === 0) return sendReply(response, reply)
    const timer = setTimeout(() => {
      timers.delete(timer)
      sendReply(response, reply)
    }, waitMs)
    timers.add(timer)
  }

  function latencyOf(ofSequence: number): number {
    const { latencyMs = 0 } = options
    if (typeof latencyMs === 'number') return latencyMs
    return latencyMs.min + randomFrom('latency', seed, ofSequence).next() * (latencyMs.max - latencyMs.min)
  }
}

function limitsOf(requestsPerSecond: SimulatorOptions['requestsPerSecond']): Record<Action, number> {
  if (typeof requestsPerSecond !== 'number') return { ...documentedLimits, ...requestsPerSecond }
  return { DescribeRoomStatistics: requestsPerSecond, GetRooms: requestsPerSecond, DescribeRoom: requestsPerSecond }
}

function splitUrl(url: string): { pathname: string; search: string } {
  const [pathname = '/', search = ''] = url.split('?', 2)
  return { pathname, search }
}
