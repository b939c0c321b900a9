import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests of lib/archive that kill processes, live through days, or are of huge rooms take longer than they find out. */
const long = ['adversity', 'faults', 'histories', 'kill', 'outages', 'pace', 'room-sizes', 'scenarios']
const tests = process.env.MUTATION_TESTS?.split(' ') ?? ['test/lcic/*.test.ts', 'test/archive/*.test.ts']

/** Tests of the source itself are the quickest, and those that need a database come last. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      (moduleId.includes('/lcic/') ? 0 : 2) + Number(moduleId.includes('.fuzz.') === moduleId.includes('/lcic/'))
    return [...files].sort((a, b) => rank(a) - rank(b))
  }
}

/** For Stryker, which runs the tests that reach a piece of code again for each change that it makes to it. */
export default defineConfig({
  test: {
    include: tests,
    exclude: long.map((name) => `test/archive/${name}.test.ts`),
    globalSetup: tests.every((file) => file.startsWith('test/lcic/')) ? [] : ['test/mutation/global-setup.ts'],
    setupFiles: ['test/support/each-file.ts'],
    sequence: { sequencer: QuickFirst },
    env: { FUZZ_CASES: process.env.FUZZ_CASES ?? '40', FUZZ_SEED: '1', FUZZ_SHRINK: 'no' },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    isolate: false,
    maxWorkers: 1,
  },
})
