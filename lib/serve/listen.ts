import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { UsageError } from '../errors'

export interface Listener {
  /** Such as `http://127.0.0.1:9702`. */
  readonly url: string
  /** Takes no more connections, lets those that are being answered have their answer, and ends. */
  close(): Promise<void>
}

/** What a caller may take of this process, and how long it may keep it. */
export interface HttpLimits {
  readonly connections: number
  readonly headerBytes: number
  /** From when a connection is there, or its last answer was sent, until the whole of a request's headers is. */
  readonly headersMs: number
  /** The same, until its body is there, too. */
  readonly requestMs: number
  /** How long a connection is kept on which nothing is asked: longer than proxies keep theirs, so that none meets one that is just being closed. */
  readonly keepAliveMs: number
  /** A connection on which nothing moves, not even an answer that is waited for, is closed. */
  readonly silenceMs: number
}

const usualLimits: HttpLimits = {
  connections: 1000,
  headerBytes: 8 * 1024,
  headersMs: 10_000,
  requestMs: 15_000,
  keepAliveMs: 65_000,
  silenceMs: 90_000,
}

/** Those that are being answered when listening ends have so long. */
const FINISH_MS = 3000

/** @throws {UsageError} where it cannot listen */
export async function listen(
  { fetch }: { readonly fetch: Parameters<typeof getRequestListener>[0] },
  {
    option,
    host,
    port,
    limits,
  }: { option: string; host: string; port: number; limits?: Partial<HttpLimits> | undefined },
): Promise<Listener> {
  const { connections, headerBytes, headersMs, requestMs, keepAliveMs, silenceMs } = { ...usualLimits, ...limits }
  const server = createServer(
    {
      maxHeaderSize: headerBytes,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, headersMs / 2),
    },
    // A body that was not read is not read afterwards either.
    getRequestListener(fetch, { autoCleanupIncoming: false }),
  )
  server.maxConnections = connections
  server.timeout = silenceMs
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : cause
    throw new UsageError('E_USAGE', `${option} ${port}: ${reason}`, { cause })
  })
  const { port: chosen } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${chosen}`,
    close: () => close(server),
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // A connection is idle once it has had its answer.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const late = setTimeout(() => server.closeAllConnections(), FINISH_MS)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}
