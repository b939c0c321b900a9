import { abortable } from '../abort'

/** Lets a few at a time through, in the order in which they came. */
export interface Turns {
  /**
   * Resolves when it is the caller's turn; {@link Turns.end} has to follow.
   *
   * @param signal ends the wait with its reason
   * @param whileWaiting called whenever somebody's turn has begun or ended, or has lasted long; what it throws ends the wait
   */
  begin(signal: AbortSignal | undefined, whileWaiting: () => Promise<void>): Promise<void>
  end(): void
  /** Lets those that wait know that a turn lasts long. */
  linger(): void
}

/** @param most turns that may last at the same time */
export function createTurns(most: number): Turns {
  const queue: object[] = []
  let running = 0
  let announce: () => void = () => undefined
  let news: Promise<void>
  renew()

  function renew(): void {
    announce()
    news = new Promise((resolve) => {
      announce = resolve
    })
  }

  return {
    async begin(signal, whileWaiting) {
      const self = {}
      queue.push(self)
      try {
        while (running === most || queue[0] !== self) {
          await abortable(news, signal)
          await whileWaiting()
        }
        running++
      } finally {
        queue.splice(queue.indexOf(self), 1)
        renew()
      }
    },
    end() {
      running--
      renew()
    },
    linger: renew,
  }
}
