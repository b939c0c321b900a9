import { remark } from './output'

const controller = new AbortController()

/** Aborted by Ctrl-C, SIGTERM or a hang-up. Whoever works listens to it, gives back what it holds, and ends. */
export const interruption = controller.signal

/** The reason that {@link interruption} is aborted with. */
export class InterruptedError extends Error {
  constructor(readonly signalName: NodeJS.Signals) {
    super('Stopped on request; what was landed is kept, and the next run goes on from there.')
  }
}

/** The second signal ends the process at once. The database forgives that. */
export function listenForSignals(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130)
      remark('\nStopping; once more to stop at once.')
      controller.abort(new InterruptedError(name))
    })
  }
}

/** Resolves at the first signal; meanwhile the process stays. */
export function untilInterrupted(): Promise<void> {
  const alive = setInterval(() => undefined, 2 ** 30)
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(alive)
      resolve()
    }
    if (interruption.aborted) done()
    else interruption.addEventListener('abort', done, { once: true })
  })
}

/** Ends the process so long after the first signal, whatever still holds it up: the database forgives that. */
export function endAfter(durationMs: number): void {
  interruption.addEventListener('abort', () => {
    setTimeout(() => process.exit(130), durationMs).unref()
  })
}
