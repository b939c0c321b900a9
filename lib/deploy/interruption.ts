/** The reason that an interrupted deployment is aborted with. */
export class InterruptedError extends Error {}

export interface Interruption extends Disposable {
  readonly signal: AbortSignal
}

/**
 * Ctrl-C and SIGTERM abort the signal: the request under way is waited for, and nothing more is begun. A second one ends the
 * process at once, which the next deployment forgives, too.
 */
export function listenForInterruption(onFirst: () => void): Interruption {
  const controller = new AbortController()
  const listener = () => {
    if (controller.signal.aborted) process.exit(130)
    onFirst()
    controller.abort(new InterruptedError('Stopped on request.'))
  }
  const names = ['SIGINT', 'SIGTERM'] as const
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, listener)
    },
  }
}
