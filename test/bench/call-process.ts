import { Agent, request } from 'node:http'
import type { CallsMade, CallTask } from './callbacks-task'

/** Connections are kept from one task to the next. */
const agent = new Agent({ keepAlive: true, maxSockets: 400, scheduling: 'lifo' })

/**
 * Calls a callback's URL at a fixed rate, whether or not it has been answered: whoever is late is measured as late. Each
 * latency counts from when the call was to leave.
 */
async function call({ url, perSecond, seconds, bodies }: CallTask): Promise<CallsMade> {
  const total = perSecond * seconds
  const latencies = new Float64Array(total)
  const statuses: Record<string, number> = {}
  const { hostname, port, pathname: path } = new URL(url)
  let answered = 0
  let latestStartMs = 0

  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  await new Promise<void>((resolve) => {
    function done(index: number, status: string): void {
      latencies[index] = performance.now() - startedAt - (index / perSecond) * 1000
      statuses[status] = (statuses[status] ?? 0) + 1
      if (++answered === total) resolve()
    }
    function send(index: number): void {
      const body = bodies[index % bodies.length] ?? ''
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      latestStartMs = Math.max(latestStartMs, performance.now() - startedAt - (index / perSecond) * 1000)
      const calling = request({ agent, hostname, port, path, method: 'POST', headers }, (response) => {
        response.resume()
        response.once('end', () => done(index, String(response.statusCode)))
      })
      calling.once('error', (error) => done(index, 'code' in error ? String(error.code) : error.message))
      calling.end(body)
    }
    let sent = 0
    function tick(): void {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1)
      while (sent < due) send(sent++)
      if (sent < total) setTimeout(tick, 1)
    }
    tick()
  })
  const tookMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpuBefore)
  const sorted = latencies.sort()
  const quantile = (share: number) => sorted[Math.min(total - 1, Math.floor(share * total))] ?? 0
  return {
    statuses,
    perSecond: total / (tookMs / 1000),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    p999Ms: quantile(0.999),
    mostMs: quantile(1),
    latestStartMs,
    cpuMs: (user + system) / 1000,
  }
}

process.on('message', async (task: CallTask) => process.send?.(await call(task)))
process.on('disconnect', () => agent.destroy())
