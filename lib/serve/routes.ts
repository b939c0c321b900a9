import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { Logger } from 'pino'
import type { CallbackReceiver } from '../archive/receive-callback'
import { MOST_CALLBACK_BYTES } from '../lcic/callback'
import type { Metrics } from './metrics'

/** What is wrong, by part; nothing if all is well. */
export type Problems = Readonly<Record<string, string>>

export interface RouteOptions {
  readonly receive: CallbackReceiver
  readonly problems: () => Promise<Problems>
  readonly metrics: Metrics
  /** Makes what the metrics say of the database up to date. */
  readonly refresh: () => Promise<void>
  readonly log: Logger
}

type Routes = Hono<{ Bindings: HttpBindings }>
type Call = Context<{ Bindings: HttpBindings }>

/** `/callback` and `/healthz`; and `/metrics`, unless that has a port of its own. All answers but metrics are JSON. */
export function createRoutes(options: RouteOptions, { withMetrics }: { withMetrics: boolean }): Routes {
  const { receive, problems, metrics, log } = options
  const routes = createBareRoutes(log)
  routes.all('/callback', async (call) => {
    const { method } = call.req
    // Who calls by another method is told so, whatever comes along.
    const body = method === 'POST' ? await readBody(call.env.incoming) : ''
    const startedAt = performance.now()
    const answer = body === undefined ? tooLarge : await receive({ method, body }, log)
    metrics.countCallback(answer, (performance.now() - startedAt) / 1000)
    if (body === undefined || method !== 'POST') closeUnread(call)
    return call.json(answer.body, answer.status)
  })
  routes.get('/healthz', async (call) => {
    const found = await problems()
    const isWell = Object.keys(found).length === 0
    return isWell ? call.json({ status: 'ok' }) : call.json({ status: 'unavailable', problems: found }, 503)
  })
  if (withMetrics) addMetrics(routes, options)
  return routes
}

/** `/metrics` alone. */
export function createMetricsRoutes(options: RouteOptions): Routes {
  return addMetrics(createBareRoutes(options.log), options)
}

function addMetrics(routes: Routes, { metrics, refresh }: RouteOptions): Routes {
  return routes.get('/metrics', async (call) => {
    await refresh()
    return call.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType })
  })
}

function createBareRoutes(log: Logger): Routes {
  const routes: Routes = new Hono<{ Bindings: HttpBindings }>({ strict: false })
  routes.notFound((call) => {
    closeUnread(call)
    return call.json({ error: 'There is nothing here. Callbacks go to /callback.' }, 404)
  })
  routes.onError((error, call) => {
    closeUnread(call)
    // Who went away while sending hears nothing of it, and it is nobody's fault here.
    const isGone = call.env.incoming.destroyed && !call.env.incoming.complete
    if (!isGone) log.error({ err: error }, 'a request failed')
    return call.json({ error: 'Something went wrong here; call again.' }, 500)
  })
  return routes
}

/** A body that nobody reads must not be carried along to be thrown away. */
function closeUnread(call: Call): void {
  const { headers } = call.env.incoming
  if (headers['transfer-encoding'] ?? headers['content-length']) call.header('Connection', 'close')
}

/** What is told of a body that is not read. */
const tooLarge = {
  status: 413,
  body: { error_code: 413, error: `A callback has at most ${MOST_CALLBACK_BYTES} bytes.` },
  outcome: 'refused',
  code: 'E_CALLBACK_TOO_LARGE',
} as const

/** @returns the body; `undefined` as soon as it is known to be too large: the rest is not read */
async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > MOST_CALLBACK_BYTES) return undefined
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((resolve, reject) => {
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MOST_CALLBACK_BYTES) chunks.push(chunk)
      else {
        incoming.pause()
        resolve(undefined)
      }
    })
    incoming.once('end', () => resolve(Buffer.concat(chunks).toString()))
    incoming.once('error', reject)
    incoming.once('close', () => reject(new Error('The caller went away.')))
  })
}
