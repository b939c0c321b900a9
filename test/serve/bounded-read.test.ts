import { beforeEach, expect, test } from 'vitest'
import { boundedRead } from '../../lib/serve/bounded-read'

let time: number
let reads: number
/** What reading takes and gives. */
let outcome: () => Promise<number>
let ask: () => Promise<number>
beforeEach(() => {
  time = 1000
  reads = 0
  outcome = async () => reads
  const read = () => {
    reads++
    return outcome()
  }
  ask = boundedRead({ read, clock: { now: () => time }, freshMs: 100, withinMs: 20 })
})

test('is read once for all who ask meanwhile, and for all who ask a while after', async () => {
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
  time += 99
  expect(await ask()).toBe(1)
  time += 1
  expect(await ask()).toBe(2)
})

test('what takes long is read less often: the database has nine tenths of the time for others', async () => {
  outcome = async () => {
    time += 50
    return reads
  }
  await ask()
  time += 449
  expect(await ask()).toBe(1)
  time += 1
  expect(await ask()).toBe(2)
})

test('a failure is told, for as long as a value would be', async () => {
  outcome = () => Promise.reject(new Error(`the ${reads}st`))
  await expect(ask()).rejects.toThrow('the 1st')
  await expect(ask()).rejects.toThrow('the 1st')
  outcome = async () => reads
  time += 100
  expect(await ask()).toBe(2)
})

test('nobody waits longer than he has to, and no second read is begun beside the first', async () => {
  let answer: (value: number) => void = () => undefined
  outcome = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  await expect(ask()).rejects.toThrow('no answer within 0.02 s')
  time += 10_000
  await expect(ask()).rejects.toThrow('no answer within 0.02 s')
  answer(7)
  expect(await ask()).toBe(7)
  expect(reads).toBe(1)
})
