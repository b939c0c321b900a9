/**
 * A controller that is aborted with `signal`, too, until it is unlinked. `AbortSignal.any` would do the same, but on
 * Node 20 it keeps every signal it made for as long as the long-lived one lives.
 */
export function linkedController(signal: AbortSignal | undefined): AbortController & { unlink(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  return Object.assign(controller, { unlink: () => signal?.removeEventListener('abort', abort) })
}

/** The promise's outcome, or the signal's reason as soon as that is aborted. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
