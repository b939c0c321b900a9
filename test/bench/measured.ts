import type { Measured } from './steps'

type Cost = Pick<Measured, 'wallMs' | 'cpuMs' | 'peakRssBytes'>

/** Does the task that a measured process was started for, and tells its parent what it cost. */
export function runMeasured<Task>(work: (task: Task, measure: typeof costOf) => Promise<Measured>): void {
  work(JSON.parse(process.argv[2] ?? 'null'), costOf).then(
    (measured) => process.send?.(measured, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
      process.exit(1)
    },
  )
}

async function costOf<Result>(run: () => Promise<Result>): Promise<Cost & { readonly result: Result }> {
  const begin = performance.now()
  const cpuBefore = process.cpuUsage()
  const result = await run()
  const { user, system } = process.cpuUsage(cpuBefore)
  const wallMs = performance.now() - begin
  return { result, wallMs, cpuMs: (user + system) / 1000, peakRssBytes: process.resourceUsage().maxRSS * 1024 }
}
