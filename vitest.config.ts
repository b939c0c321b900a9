import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take longest, the longest first: one that began last would be waited for alone. */
const longest = [
  'archive/scenarios',
  'archive/histories',
  'cli/sweep-status',
  'archive/kill',
  'archive/outages',
  'archive/work',
  'cli/run',
  'archive/sweep',
  'cli/demo',
  'archive/faults',
  'cli/database',
  'cli/archive',
  'torture/torture',
  'archive/adversity',
  'deploy/serverless',
  'functions/archive-rooms',
  'cli/serve',
  'report/browser',
  'archive/room-sizes',
  'embedded/places',
  'embedded/sharing',
]

/** In the order of that list, and then as Vitest orders them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
      return index === -1 ? longest.length : index
    }
    return others.sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // What all files import is read once in a process, and not sixty times. What a file changes it puts back.
    isolate: false,
    setupFiles: ['test/support/each-file.ts'],
    sequence: { sequencer: LongestFirst },
    // Tests wait for processes and clocks a good deal: three keep two cores busy.
    maxWorkers: 3,
  },
})
