import fc from 'fast-check'
import { expect } from 'vitest'
import { createTurns } from '../../lib/archive/turns'
import { always } from '../support/fuzz'

/** Somebody who wants a turn: what becomes of him, and for how many steps he has it. */
const comer = fc.record({ fate: fc.constantFrom('waits', 'waits', 'waits', 'aborted', 'lost'), lasts: fc.nat(3) })

always(
  'at most so many have a turn at a time, in the order in which they came; who gives up keeps nobody from theirs',
  [fc.scheduler(), fc.integer({ min: 1, max: 4 }), fc.array(comer, { minLength: 1, maxLength: 9 })],
  async (scheduler, most, comers) => {
    const turns = createTurns(most)
    const began: number[] = []
    const gaveUp: number[] = []
    let running = 0
    const step = () => scheduler.schedule(Promise.resolve())
    async function come({ fate, lasts }: (typeof comers)[number], index: number): Promise<void> {
      const controller = new AbortController()
      if (fate === 'aborted') void step().then(() => controller.abort(new Error('enough')))
      try {
        await turns.begin(controller.signal, async () => {
          if (fate === 'lost') throw new Error('enough')
        })
      } catch (error) {
        expect(error).toEqual(new Error('enough'))
        gaveUp.push(index)
        return
      }
      began.push(index)
      running++
      expect(running).toBeLessThanOrEqual(most)
      for (let left = lasts; left > 0; left--) {
        await step()
        turns.linger()
      }
      running--
      turns.end()
    }
    const all = Promise.all(comers.map(come))
    await scheduler.waitFor(all)
    expect(began).toEqual([...began].sort((a, b) => a - b))
    expect([...began, ...gaveUp].sort((a, b) => a - b)).toEqual(comers.map((_, index) => index))
    for (const index of gaveUp) expect(comers[index]?.fate).not.toBe('waits')
    expect(running).toBe(0)
    // Nothing is left over of those who were there: as many as before can begin at once.
    for (let turn = 0; turn < most; turn++) await turns.begin(undefined, async () => expect.unreachable())
  },
)
