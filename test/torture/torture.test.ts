import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { planApiFaults } from './api-faults'
import { planRound } from './plan'
import { playRound } from './round'
import { shortRound, wholeRound } from './shape'

let commandLine: CommandLine
/** The name is one that global-setup.ts clears away after a killed run. */
const place = join(tmpdir(), `lcic-archive-test-${process.pid}`)

beforeAll(async () => {
  commandLine = await installCommandLine()
})
afterAll(async () => {
  await commandLine.remove()
  await rm(place, { recursive: true, force: true })
})

test('a seed gives the same plan each time, and another seed another one', () => {
  expect(planRound(7, wholeRound)).toEqual(planRound(7, wholeRound))
  expect(planRound(7, wholeRound)).not.toEqual(planRound(8, wholeRound))
  const drawn = (seed: number) => {
    const decide = planApiFaults(seed, wholeRound)
    if (typeof decide !== 'function') throw new TypeError('It is a share of requests.')
    const request = { action: 'DescribeRoomStatistics', page: 1, sequence: 0 } as const
    return Array.from({ length: 300 }, (_, index) => decide({ ...request, roomId: BigInt(index % 100) }))
  }
  expect(drawn(7)).toEqual(drawn(7))
  expect(drawn(7)).not.toEqual(drawn(8))
  expect(drawn(7).filter((fault) => fault !== undefined).length).toBeGreaterThan(10)
})

test('a short round of everything that goes wrong breaks no promise', async () => {
  const directory = join(place, 'torture-logs')
  await mkdir(directory)
  const result = await playRound({
    plan: planRound(20_260, shortRound),
    program: join(commandLine.directory, 'dist', 'lcic-archive.cjs'),
    databaseDirectory: join(place, 'torture'),
    directory,
  })
  expect(result.violations).toEqual([])
  expect(result.archived).toBe(result.rooms - shortRound.rooms.expired - shortRound.rooms.missing)
  // It proves nothing where nothing went wrong, or nobody looked.
  expect(result.looks).toBeGreaterThan(10)
  expect(Object.keys(result.faults).length).toBeGreaterThan(12)
  expect(result.ends.SIGKILL).toBeGreaterThan(0)
  expect(result.callbacks['401']).toBeGreaterThan(0)
}, 120_000)
