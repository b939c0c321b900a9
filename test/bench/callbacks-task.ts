/** What the calling process is told, one task after the other. */
export interface CallTask {
  readonly url: string
  readonly perSecond: number
  readonly seconds: number
  /** Sent in turn, and from the start again. */
  readonly bodies: readonly string[]
}

/** What it tells; latencies in milliseconds, from when a call was to leave until its answer was there. */
export interface CallsMade {
  /** How many answers of each status, or errors of each code. */
  readonly statuses: Readonly<Record<string, number>>
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly mostMs: number
  /** How late the calling process itself was, at most. */
  readonly latestStartMs: number
  readonly cpuMs: number
}
