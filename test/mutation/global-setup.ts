import type { TestProject } from 'vitest/node'
import setup from '../support/global-setup'

/** The servers of any test run. What changed code logs is nobody's fault. */
export default async function setupForMutants(project: TestProject): Promise<() => Promise<void>> {
  const teardown = await setup(project)
  // What a change breaks it breaks on either version, and one is quicker.
  project.provide('postgres12Url', '')
  return async () => {
    await teardown().catch(() => undefined)
    process.exitCode = undefined
  }
}
