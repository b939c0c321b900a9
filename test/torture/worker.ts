import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { MemorySample } from './checks/memory'
import { type Program, type StartedProcess, startProcess } from './start-process'

export interface WorkerOptions extends Omit<Program, 'logFile'> {
  readonly name: string
}

/** How a process ended. */
export interface ProcessEnd {
  readonly name: string
  readonly pid: number
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** Killed from here. */
  readonly wasKilled: boolean
  /** Told to stop. */
  readonly wasTold: boolean
  readonly logFile: string
}

/** A worker that is started again whenever it ends, as a supervisor does. */
export interface Worker {
  readonly ends: readonly ProcessEnd[]
  readonly memory: readonly MemorySample[]
  /** Of its process, while there is one. */
  pid(): number | undefined
  kill(): void
  /** Stops it in its tracks for so long. */
  freeze(durationMs: number): Promise<void>
  /** Notes how much memory it takes by now. */
  sampleMemory(): void
  /** Tells it to stop, and waits for that. */
  end(): Promise<void>
}

/** A supervisor's pause before it starts what has ended once more. */
const RESTART_MS = 300

export function startWorker({ name, ...options }: WorkerOptions): Worker {
  const ends: ProcessEnd[] = []
  const memory: MemorySample[] = []
  let current: StartedProcess | undefined
  let wasKilled = false
  let wasTold = false

  async function live(): Promise<void> {
    while (!wasTold) {
      const logFile = join(options.directory, `${name}-${ends.length + 1}.log`)
      wasKilled = false
      const started = startProcess({ ...options, logFile })
      current = started
      const ended = await started.ended
      current = undefined
      ends.push({ name, pid: started.pid, ...ended, wasKilled, wasTold, logFile })
      if (!wasTold) await delay(RESTART_MS)
    }
  }

  const lived = live()
  return {
    ends,
    memory,
    pid: () => current?.pid,
    kill() {
      wasKilled = true
      current?.signal('SIGKILL')
    },
    async freeze(durationMs) {
      const frozen = current
      frozen?.signal('SIGSTOP')
      await delay(durationMs)
      frozen?.signal('SIGCONT')
    },
    sampleMemory() {
      const sample = current && memoryOf(current.pid)
      if (current && sample) memory.push({ name, pid: current.pid, atMs: performance.now(), ...sample })
    },
    async end() {
      wasTold = true
      current?.signal('SIGCONT')
      current?.signal('SIGTERM')
      await lived
    },
  }
}

/** As Linux counts it; elsewhere nothing is known. */
function memoryOf(pid: number): { residentMb: number; peakMb: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const residentMb = megabytes(status, 'VmRSS')
    const peakMb = megabytes(status, 'VmHWM')
    return residentMb === undefined || peakMb === undefined ? undefined : { residentMb, peakMb }
  } catch {
    return undefined
  }
}

function megabytes(status: string, field: string): number | undefined {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
}
