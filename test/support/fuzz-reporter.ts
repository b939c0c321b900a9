import { DefaultReporter, type TestCase } from 'vitest/node'

/** Says of each promise with how many cases it was tried, and the seed that draws the same again. */
export default class FuzzReporter extends DefaultReporter {
  readonly #lines: string[] = []
  #cases = 0

  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test)
    const { cases } = test.meta()
    if (cases === undefined) return
    this.#cases += cases
    this.#lines.push(`${String(cases).padStart(8)}  ${test.module.relativeModuleId.slice(5)} › ${test.name}`)
  }

  override onTestRunEnd(...end: Parameters<DefaultReporter['onTestRunEnd']>): void {
    super.onTestRunEnd(...end)
    const seed = `FUZZ_SEED=${process.env.FUZZ_SEED}`
    this.log(`Cases that held:\n${this.#lines.sort().join('\n')}\n${String(this.#cases).padStart(8)}  in all; ${seed}`)
  }
}
