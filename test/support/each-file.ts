import { afterAll, beforeAll, vi } from 'vitest'
import { resetHastyClock } from './hasty-clock'

// Files share a process, one after the other, and none finds what another has left.
const environment = { ...process.env }

beforeAll(() => resetHastyClock())

afterAll(() => {
  vi.useRealTimers()
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
})
