/**
 * The other end of platform.ts, in a process of its own: what SCF's Node.js runtime is to a function. It loads a bundle,
 * calls it once for each event, and tells what came of it, and when its event loop was empty.
 */

/** What the platform tells an instance. */
export interface InstanceOrder {
  readonly event: unknown
  readonly requestId: string
  readonly timeLimitMs: number
  /** What is put into the environment before the function is called; null takes away. */
  readonly environment: Readonly<Record<string, string | null>>
}

/** How an instance is made. */
export interface InstanceForm {
  /** Path of the bundle. */
  readonly bundle: string
  readonly functionName: string
  readonly memoryMb: number
  /** What the process takes for its id: instances that are made from one snapshot have the same. */
  readonly pid?: number | undefined
}

/** What an instance tells the platform. */
export type InstanceNews =
  | {
      readonly type: 'ready'
      /** How long it took to load the bundle. */
      readonly loadMs: number
    }
  | { readonly type: 'answered'; readonly answer: unknown }
  | { readonly type: 'failed'; readonly error: string }
  | {
      /** Nothing is left to do. */
      readonly type: 'idle'
      /** How long after the answer. */
      readonly idleAfterMs: number
      /** From the event to the answer. */
      readonly durationMs: number
      readonly cpuMs: number
      readonly peakRssBytes: number
    }

type Handler = (event: unknown, context: unknown) => Promise<unknown>

function main({ bundle, functionName, memoryMb, pid }: InstanceForm): void {
  if (pid !== undefined) Object.defineProperty(process, 'pid', { value: pid })
  const beganAt = performance.now()
  const { main_handler: handler }: { main_handler: Handler } = require(bundle)
  const loadMs = performance.now() - beganAt
  const { channel } = process
  let current: { startedAt: number; answeredAt: number; cpu: NodeJS.CpuUsage } | undefined

  async function serve({ event, requestId, timeLimitMs, environment }: InstanceOrder): Promise<void> {
    for (const [name, value] of Object.entries(environment)) {
      if (value === null) delete process.env[name]
      else process.env[name] = value
    }
    const startedAt = performance.now()
    const begun = { startedAt, answeredAt: Number.NaN, cpu: process.cpuUsage() }
    current = begun
    const context = {
      request_id: requestId,
      function_name: functionName,
      function_version: '$LATEST',
      namespace: 'default',
      memory_limit_in_mb: memoryMb,
      time_limit_in_ms: timeLimitMs,
      tencentcloud_region: 'ap-guangzhou',
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(timeLimitMs - (performance.now() - startedAt))),
    }
    const outcome = await handler(event, context).then(
      (answer): InstanceNews => ({ type: 'answered', answer }),
      (error: unknown): InstanceNews => ({
        type: 'failed',
        error: error instanceof Error ? error.message : String(error),
      }),
    )
    begun.answeredAt = performance.now()
    tell(outcome)
  }

  process.on('message', (order: InstanceOrder) => {
    // From now on only what the function does keeps the process alive.
    channel?.unref()
    void serve(order)
  })
  process.on('beforeExit', () => {
    if (!current) return
    const { startedAt, answeredAt, cpu } = current
    current = undefined
    const { user, system } = process.cpuUsage(cpu)
    tell({
      type: 'idle',
      idleAfterMs: performance.now() - answeredAt,
      durationMs: answeredAt - startedAt,
      cpuMs: (user + system) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    })
    // The platform keeps the instance for the next event.
    channel?.ref()
  })
  process.on('disconnect', () => process.exit())
  tell({ type: 'ready', loadMs })
}

function tell(news: InstanceNews): void {
  process.send?.(news)
}

main(JSON.parse(process.argv[2] ?? '{}'))
