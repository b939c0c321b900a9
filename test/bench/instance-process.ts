/** An instance of a function: loads the bundle that it is told, and answers one event after the other, as SCF has it do. */
type Handler = (event: unknown, context: object) => Promise<unknown>

/** What an instance is told. */
export interface InstanceEvent {
  readonly event: unknown
  readonly functionName: string
  readonly timeLimitMs: number
}

/** What it says; times are what SCF bills. */
export interface InstanceAnswer {
  readonly answer?: unknown
  readonly error?: string
  readonly durationMs: number
  /** Loading the code; once. */
  readonly loadMs: number
  readonly peakRssBytes: number
}

const [bundle = '', exported = 'main_handler'] = process.argv.slice(2)
const loadedAt = performance.now()
const handler: Handler = require(bundle)[exported]
let loadMs = performance.now() - loadedAt
let calls = 0

process.on('message', ({ event, functionName, timeLimitMs }: InstanceEvent) => {
  const startedAt = performance.now()
  const context = {
    request_id: `bench-${process.pid}-${++calls}`,
    function_name: functionName,
    namespace: 'default',
    time_limit_in_ms: timeLimitMs,
    tencentcloud_region: 'ap-guangzhou',
    getRemainingTimeInMillis: () => timeLimitMs - (performance.now() - startedAt),
  }
  const say = (said: Pick<InstanceAnswer, 'answer' | 'error'>) => {
    const durationMs = performance.now() - startedAt
    process.send?.({ ...said, durationMs, loadMs, peakRssBytes: process.resourceUsage().maxRSS * 1024 })
    loadMs = 0
  }
  handler(event, context).then(
    (answer) => say({ answer }),
    (error: unknown) => say({ error: String(error) }),
  )
})
