import { expect, test } from 'vitest'
import { idSchema } from '../../lib/lcic/id'

test.each([
  [1, 1n],
  ['1', 1n],
  ['0001', 1n],
  [Number.MAX_SAFE_INTEGER, 9_007_199_254_740_991n],
  ['9223372036854775807', 9_223_372_036_854_775_807n],
])('%j is an id', (given, id) => {
  expect(idSchema.parse(given)).toBe(id)
})

test.each([
  0,
  '0',
  -1,
  '-1',
  1.5,
  '1.5',
  2 ** 53,
  '9223372036854775808',
  '10000000000000000000',
  '00000000000000000001',
  'x1',
  '1x',
  ' 1',
  '1 ',
  '',
  'x',
  '0x1',
  '1e3',
  null,
  true,
  [],
  [1],
  {},
])('%j is none', (given) => {
  expect(idSchema.safeParse(given).success).toBe(false)
})
