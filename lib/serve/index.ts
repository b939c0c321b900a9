import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { version } from '../../package.json'
import type { ArchiveContext } from '../archive/context'
import { createCallbackReceiver } from '../archive/receive-callback'
import type { Config } from '../config'
import { checkWritable } from '../db/check-writable'
import { readMetrics } from '../db/read-metrics'
import type { Database } from '../db/tables'
import { describeError } from '../errors'
import { boundedRead } from './bounded-read'
import { createFreshnessBook } from './freshness'
import { keepSweeping } from './keep-sweeping'
import { type KeptWorker, keepWorking } from './keep-working'
import { type HttpLimits, type Listener, listen } from './listen'
import { createMetrics } from './metrics'
import { createMetricsRoutes, createRoutes, type Problems } from './routes'

export interface ServeOptions {
  readonly config: Config
  /** What the worker and sweeps use. */
  readonly context: ArchiveContext
  /** Connections of their own for callbacks and monitoring, so that they never wait behind the worker: four serve all. */
  readonly db: Kysely<Database>
  readonly log: Logger
  readonly host: string
  readonly port: number
  /** Where metrics are given, if not beside the callbacks. */
  readonly metricsPort?: number | undefined
  /** 0: no sweeps. */
  readonly sweepEveryMs: number
  readonly signal: AbortSignal
  /** Told once callbacks are taken. */
  readonly onListening?: (urls: { readonly url: string; readonly metricsUrl: string }) => void
  readonly limits?: Partial<HttpLimits>
}

/** The database is asked no more often than this for /metrics, and nobody waits for it longer. */
const METRICS = { freshMs: 10_000, withinMs: 5000, statementMs: 4000 }

/** The same for /healthz. */
const HEALTH = { freshMs: 1000, withinMs: 2000 }

/**
 * Receives callbacks, archives what is due and sweeps, until told to stop: then it takes no more connections, answers those
 * that wait for that, gives its rooms back, and returns.
 *
 * @throws {UsageError} where it cannot listen
 */
export async function serve({ config, context, db, log, signal, ...options }: ServeOptions): Promise<void> {
  const { clock, now } = context
  const metrics = createMetrics({ version, requestsPerSecond: config.requestsPerSecond })
  const freshness = createFreshnessBook(db, metrics.addFreshness)
  const receive = createCallbackReceiver({ config: config.callback, db, now, clock: { now: Date.now } })
  let worker: KeptWorker | undefined

  const askDatabase = boundedRead({ read: () => checkWritable(db), clock, ...HEALTH })
  const readArchive = boundedRead({
    async read() {
      await freshness.tell()
      return readMetrics(db, { now: now(), mostMs: METRICS.statementMs })
    },
    clock,
    ...METRICS,
  })

  const routeOptions = {
    receive,
    metrics,
    log,
    async problems(): Promise<Problems> {
      const [database] = await Promise.allSettled([askDatabase()])
      const idle = worker?.problem()
      return {
        ...(database.status === 'rejected' && { database: describeError(database.reason).message }),
        ...(idle !== undefined && { worker: idle }),
      }
    },
    async refresh(): Promise<void> {
      metrics.setArchive(await readArchive().catch(() => undefined))
      metrics.setWorker(worker?.problem() === undefined)
    },
  }

  const { host, port, metricsPort, limits, sweepEveryMs, onListening } = options
  const listeners: Listener[] = []
  const listenOn = async (...where: Parameters<typeof listen>) => {
    const listener = await listen(...where)
    listeners.push(listener)
    return listener.url
  }
  try {
    const withMetrics = metricsPort === undefined
    const routes = createRoutes(routeOptions, { withMetrics })
    const url = await listenOn(routes, { option: '--port', host, port, limits })
    const metricsUrl = withMetrics
      ? url
      : await listenOn(createMetricsRoutes(routeOptions), { option: '--metrics-port', host, port: metricsPort, limits })
    onListening?.({ url, metricsUrl })
    log.info({ listening: url, metrics: metricsUrl }, 'listening')

    worker = keepWorking(context, {
      signal,
      onReport(report) {
        metrics.countRun(report)
        freshness.note(report)
      },
    })
    const { sdkAppIds, sweepLookbackMs: lookbackMs } = config
    const isSweeping = sdkAppIds.length > 0 && sweepEveryMs > 0
    const sweeping = isSweeping && keepSweeping(context, { sdkAppIds, lookbackMs, everyMs: sweepEveryMs, signal })
    await untilAborted(signal)
    log.info('stopping')
    await Promise.all([worker.ended, sweeping, ...listeners.map((listener) => listener.close())])
  } catch (error) {
    for (const listener of listeners) await listener.close()
    throw error
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
