import type { Violation } from './violation'

export interface MemorySample {
  readonly name: string
  readonly pid: number
  readonly atMs: number
  readonly residentMb: number
  /** The most it ever took. */
  readonly peakMb: number
}

/** What a function has, and a worker must not exceed. */
export const MOST_MB = 128

/** What a process may take more at the end of its life than when it was warm. */
const GROWTH_MB = 32

/** Of a shorter life nothing can be told. */
const LEAST_MS = 20_000

/** Processes that took too much, or ever more. */
export function findMemoryTrouble(samples: readonly MemorySample[]): Violation[] {
  const byProcess = new Map<string, MemorySample[]>()
  for (const sample of samples) {
    const name = `${sample.name} (${sample.pid})`
    byProcess.set(name, [...(byProcess.get(name) ?? []), sample])
  }
  return [...byProcess].flatMap(([name, own]) => {
    const peakMb = Math.max(...own.map((sample) => sample.peakMb))
    const found: Violation[] = []
    if (peakMb > MOST_MB)
      found.push({ check: 'memory', what: `${name} took ${peakMb.toFixed(0)} MB; ${MOST_MB} are allowed` })
    const growthMb = growthOf(own)
    if (growthMb > GROWTH_MB)
      found.push({ check: 'memory', what: `${name} grew by ${growthMb.toFixed(0)} MB while it ran` })
    return found
  })
}

/** From the second quarter of its life to the last one, each by its middle sample. */
function growthOf(samples: readonly MemorySample[]): number {
  const spanMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)
  if (spanMs < LEAST_MS) return 0
  const quarter = Math.floor(samples.length / 4)
  return middle(samples.slice(-quarter)) - middle(samples.slice(quarter, 2 * quarter))
}

function middle(samples: readonly MemorySample[]): number {
  const sizes = samples.map(({ residentMb }) => residentMb).sort((a, b) => a - b)
  return sizes[Math.floor(sizes.length / 2)] ?? 0
}
