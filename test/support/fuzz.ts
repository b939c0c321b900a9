import fc from 'fast-check'
import { test } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** How many cases a promise was tried with; `npm run fuzz` prints it. */
    cases?: number
  }
}

/** `npm run fuzz` sets the first two; a seed draws the same cases again. Mutation testing asks for no smallest case. */
const { FUZZ_CASES, FUZZ_SEED, FUZZ_SHRINK } = process.env

interface Extent {
  /** How many cases an ordinary run of the tests draws: as many as take a fraction of a second. */
  readonly cases?: number
  /** Where what is drawn at once, for one statement say, holds several. */
  readonly casesAtOnce?: number
}

/** A test of a promise that holds whatever is drawn. Who breaks it is told the seed, and the smallest case found. */
export function always<Drawn extends [unknown, ...unknown[]]>(
  promise: string,
  drawn: { [Index in keyof Drawn]: fc.Arbitrary<Drawn[Index]> },
  holds: (...values: Drawn) => unknown,
  { cases = 300, casesAtOnce = 1 }: Extent = {},
): void {
  test(promise, async ({ task }) => {
    let held = 0
    const property = fc.asyncProperty<Drawn>(...drawn, async (...values) => {
      await holds(...values)
      held += casesAtOnce
    })
    await fc.assert(property, {
      numRuns: Math.ceil(Number(FUZZ_CASES || cases) / casesAtOnce),
      endOnFailure: FUZZ_SHRINK === 'no',
      ...(FUZZ_SEED && { seed: Number(FUZZ_SEED) }),
    })
    task.meta.cases = held
  })
}
