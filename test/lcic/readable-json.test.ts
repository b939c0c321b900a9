import { expect, test } from 'vitest'
import { isReadableJson } from '../../lib/lcic/readable-json'
import { readStoredPage } from '../../lib/lcic/statistics'

const zeros = (count: number) => '0'.repeat(count)

test.each([
  ['NUL', '"\\u0000"'],
  ['NUL in a name', '{"a\\u0000":1}'],
  ['the first half of a character', '"a\\ud83d"'],
  ['the first half, and no second', '["\\uD83D\\u0041"]'],
  ['the first half twice', '"\\ud83d\\ud83d\\ude00"'],
  ['the second half', '"\\uDE00"'],
  ['the second half twice', '"\\ud83d\\ude00\\udfff"'],
  ['a number next to nothing', '{"a":1e-400}'],
  ['the same in capitals', '{"a":1E-400}'],
  ['after a point', '[1.25e-325]'],
  ['below nothing', '[-1e-400]'],
  ['in a list', '[7,1e-400]'],
  ['after space', '{"a": 1e-400}'],
  ['after a line', '{"a":\n1e-400}'],
  ['after a tab', '{"a":\t1e-400}'],
  ['after a return', '{"a":\r1e-400}'],
  ['behind a mark that means nothing', '["e-1","E-12",3e-99,1e-400]'],
  ['nines', '[9.9e-999]'],
  ['in zeros', `[0.${zeros(330)}1]`],
])('PostgreSQL may refuse a text that holds %s', (_, text) => {
  JSON.parse(text)
  expect(isReadableJson(Buffer.from(text))).toBe(false)
})

test.each([
  ['what is ordinary', '{"UserId":"a","PresentTime":60,"SubGroupId":[],"Mic":null}'],
  ['whole characters in halves', '"\\ud83d\\ude00 \\uD83D\\uDE00"'],
  ['the last before the halves, and the first after', '"\\ud7ff \\ue000"'],
  ['an exponent of two digits', '[1e-99,1.5E-10,-2e-7]'],
  ['a large number', '[1e300,1e+300]'],
  ['99 zeros', `[0.${zeros(98)}1]`],
  ['ids that look like it', '["3fe-123","e-400","1234e-400","é1e-400",".e-400","-e-400"]'],
  ['an id with a mark at its end', '["1e-"]'],
  ['an id after which digits stop', '{"a":1,"be-40":"e-40x"}'],
])('it can look into %s', (_, text) => {
  JSON.parse(text)
  expect(isReadableJson(Buffer.from(text))).toBe(true)
})

test('a page that PostgreSQL may refuse to look into has its records beside it', () => {
  const page = (more: string) =>
    readStoredPage(`{"Response":{"RequestId":"r","Total":1,"MemberRecords":[{"UserId":"a","Mic":0}]}${more}}`)
  expect(page('')).not.toHaveProperty('records')
  expect(page(',"Beside":"\\u0000"').records).toEqual([{ UserId: 'a', Mic: 0 }])
})
