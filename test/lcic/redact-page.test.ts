import { expect, test } from 'vitest'
import { type RedactionRules, redactPage, withoutErased } from '../../lib/lcic/redact-page'
import { pseudonym } from '../../lib/lcic/redact-text'
import { readStoredPage } from '../../lib/lcic/statistics'

const key = { pseudonymKey: '0123456789abcdef' }
const pseudonymise: RedactionRules = { personalData: { mode: 'pseudonymise', ...key } }
const drop: RedactionRules = { personalData: { mode: 'drop', ...key } }
const erasing = (...ids: string[]): RedactionRules => ({ isErased: (id) => ids.includes(id) })

const pageOf = (records: string, rest = '') =>
  readStoredPage(`{"Response":{"Total":9,"MemberRecords":${records},"RequestId":"r-1"${rest}}}`)
const textOf = (page: ReturnType<typeof pageOf>) => page.body.toString()
const recordsIn = (page: ReturnType<typeof pageOf>): Record<string, unknown>[] =>
  JSON.parse(textOf(page)).Response.MemberRecords
const tokenOf = (subject: Parameters<typeof pseudonym>[1], value: string) =>
  pseudonym({ mode: 'pseudonymise', ...key }, subject, value)

test('what nobody asked to change is the very same page', () => {
  const page = pageOf('[{"UserId":"ada"}, {"UserId":"bo"}]')
  for (const rules of [{}, erasing('cleo')]) expect(redactPage(page, rules)).toEqual({ page, erased: [] })
  expect(redactPage(page, erasing('cleo')).page).toBe(page)
})

test('pseudonyms stand for ids, names, addresses and unknown texts, of their own for each kind; numbers stay', () => {
  const record = {
    UserId: 'ada',
    UserName: 'ada',
    IPAddress: 'ada',
    Location: 'ada',
    Nick: 'ada',
    Age: 7,
    Vip: true,
    Mic: 'ada',
  }
  const [found = {}] = recordsIn(
    redactPage(pageOf(JSON.stringify([{ ...record, Device: 3, GroupId: 'blue' }])), pseudonymise).page,
  )
  expect(found).toEqual({
    UserId: tokenOf('user', 'ada'),
    UserName: tokenOf('name', 'ada'),
    IPAddress: tokenOf('ip', 'ada'),
    Location: tokenOf('location', 'ada'),
    Nick: tokenOf('text', 'ada'),
    Mic: tokenOf('text', 'ada'),
    Age: 7,
    Vip: true,
    Device: 3,
    GroupId: 'blue',
  })
  // 128 bits are enough, and short enough.
  expect(found.UserId).toMatch(/^user-[0-9a-f]{32}$/)
  expect(new Set(Object.values(found).filter((value) => String(value).includes('-'))).size).toBe(5)
  const other = redactPage(pageOf('[{"UserId":"ada"}]'), {
    personalData: { mode: 'drop', pseudonymKey: 'another key of 16' },
  })
  expect(recordsIn(other.page)[0]?.UserId).not.toBe(found.UserId)
})

test('what is empty or not there stays so, and odd values are replaced whole', () => {
  const page = pageOf(
    '[{"UserId":"","UserName":"","IPAddress":null,"Nick":""},{"UserId":42,"UserName":["ada"],"New":{"a":["ada",1]}},"ada",null]',
  )
  const [empty, odd, text, nothing] = recordsIn(redactPage(page, pseudonymise).page)
  expect(empty).toEqual({ UserId: '', UserName: '', IPAddress: null, Nick: '' })
  expect(odd).toEqual({
    UserId: tokenOf('user', '42'),
    UserName: tokenOf('name', '["ada"]'),
    New: tokenOf('text', '{"a":["ada",1]}'),
  })
  expect([text, nothing]).toEqual([null, null])
})

test('dropped are names, addresses and unknown fields; of ids a token is left; unknown fields of the page go, too', () => {
  const record = {
    UserName: 'Ada',
    UserId: 'ada',
    IPAddress: '198.51.100.7',
    Location: 'Here',
    Nick: 'A',
    Age: 7,
    HandUps: 2,
  }
  const { page } = redactPage(pageOf(JSON.stringify([record]), ',"TeacherName":"Ada","MicCount":3'), drop)
  expect(recordsIn(page)).toEqual([{ UserId: tokenOf('user', 'ada'), HandUps: 2 }])
  expect(page).toMatchObject({ recordCount: 1, figures: { Total: 9, MicCount: 3, extra: {} } })
  expect(page).not.toHaveProperty('records')
  expect(textOf(page)).not.toMatch(/Ada|198|Here|Nick|Age/)
})

test('erased members are left out however their ids are written, by their own id or by its pseudonym', () => {
  const page = pageOf(
    '[{"UserId":"ada"},{"User\\u0049d":"\\u0061da"},{"UserId":42}, {"UserId":9007199254740993},{"UserId":"bo"}]',
  )
  expect(recordsIn(redactPage(page, erasing('ada', '42', '9007199254740993')).page)).toEqual([{ UserId: 'bo' }])
  const both = redactPage(page, { ...pseudonymise, ...erasing('ada', tokenOf('user', '42')) })
  expect(both.erased).toHaveLength(3)
  expect(recordsIn(both.page)).toEqual([
    { UserId: tokenOf('user', '9007199254740993') },
    { UserId: tokenOf('user', 'bo') },
  ])
  expect(both.page.recordCount).toBe(2)
})

test('of an erased member nothing is left, whatever else the record holds; who is not named is nobody', () => {
  const page = pageOf(
    '[{"HandUps":1,"UserId":"ada","UserName":"Ada"},{"UserId":null},{"UserId":""},{"UserId":["ada"]}]',
  )
  const nobody = [{ UserId: null }, { UserId: '' }, { UserId: ['ada'] }]
  expect(recordsIn(redactPage(page, erasing('ada', '')).page)).toEqual(nobody)
  const both = redactPage(page, { ...pseudonymise, ...erasing('ada') })
  expect(both.erased).toEqual(['{"HandUps":1,"UserId":"ada","UserName":"Ada"}'])
  expect(recordsIn(both.page)).toEqual([{ UserId: null }, { UserId: '' }, { UserId: null }])
})

test('a number in place of a name or an address is replaced like its digits, and spaces around it are no part of it', () => {
  const page = pageOf('[{"UserName": 42 ,"IPAddress":7\n,"Location":true }]')
  expect(recordsIn(redactPage(page, pseudonymise).page)).toEqual([
    { UserName: tokenOf('name', '42'), IPAddress: tokenOf('ip', '7'), Location: tokenOf('location', 'true') },
  ])
})

test('a page without a list stays as it is', () => {
  const page = pageOf('null')
  expect(redactPage(page, pseudonymise).page).toBe(page)
  expect(redactPage(page, erasing('ada')).page).toBe(page)
})

test('fields that are not known lose the id of an erased member, unless it is so short that it could mean anything', () => {
  const page = pageOf('[{"UserId":"bo","By":"teacher-1","Level":"1"}]', ',"Host":{"teacher-1":["teacher-1 "]}')
  const { page: left } = redactPage(page, erasing('teacher-1', '1'))
  expect(textOf(left)).toContain('[{"UserId":"bo","By":"","Level":"1"}]')
  expect(textOf(left)).toContain('"Host":{"":["teacher-1 "]}')
})

test('all else stays character by character, numbers of any length included', () => {
  const text =
    '{ "Response" : {"Total" :2, "MemberRecords": [ {"UserId":"a\\/b", "PresentTime":1.50e1, "Big":12345678901234567890} ],\n"RequestId":"r-1" } }'
  const { page } = redactPage(readStoredPage(text), pseudonymise)
  expect(textOf(page)).toBe(text.replace('"a\\/b"', `"${tokenOf('user', 'a/b')}"`))
})

/** What becomes of a field of a record, and of the page as a whole. */
const fieldAfter = (name: string, value: string, rules = pseudonymise): unknown => {
  const { body } = redactPage(pageOf(`[{"UserId":"a",${JSON.stringify(name)}:${value}}]`), rules).page
  return JSON.parse(body.toString()).Response.MemberRecords[0][name]
}
const figureAfter = (name: string, value: string, rules = pseudonymise): unknown => {
  const { body } = redactPage(pageOf('[]', `,${JSON.stringify(name)}:${value}`), rules).page
  return JSON.parse(body.toString()).Response[name]
}

test.each(['12', '-1.25', '1e3', 'true', 'null', '""', '" "', '"12"', '" 12 "', '"-12"', '"12.345"', '" 12"'])(
  'where a number belongs %s tells nothing of anybody, and stays',
  (value) => {
    for (const rules of [pseudonymise, drop]) {
      expect(fieldAfter('Mic', value, rules)).toEqual(JSON.parse(value))
      expect(figureAfter('MicCount', value, rules)).toEqual(JSON.parse(value))
    }
  },
)

test.each([
  '"Ada"',
  '"Ada\\"12"',
  '"12\\" Ada"',
  '"a12"',
  '"12a"',
  '"12."',
  '".5"',
  '"1 2"',
  '"12 a"',
  '"--1"',
  '"12.3.4"',
  '["Ada"]',
  '{"a":1}',
])('where a number belongs %s may be anything, and is replaced, or left out', (value) => {
  const said = JSON.parse(value)
  const token = tokenOf('text', typeof said === 'string' ? said : value)
  expect(fieldAfter('Mic', value)).toBe(token)
  expect(figureAfter('MicCount', value)).toBe(token)
  expect(fieldAfter('Mic', value, drop)).toBeUndefined()
  expect(figureAfter('MicCount', value, drop)).toBeUndefined()
})

test('a figure that nobody knows is replaced even if it is digits; a number stays, and RequestId and Total do', () => {
  expect(figureAfter('New', '"12"')).toBe(tokenOf('text', '12'))
  expect(figureAfter('New', '12')).toBe(12)
  expect(figureAfter('New', '""')).toBe('')
  expect(figureAfter('New', '12', drop)).toBeUndefined()
  expect(redactPage(pageOf('[]', ',"Other":"x"'), pseudonymise).page).toMatchObject({
    requestId: 'r-1',
    figures: { Total: 9 },
  })
})

test('ids of groups stay where they are texts, and what is nested in their place is replaced', () => {
  for (const value of ['"blue"', '7', 'null', '""']) expect(fieldAfter('GroupId', value)).toEqual(JSON.parse(value))
  for (const value of ['["Ada"]', '{"a":"Ada"}']) expect(fieldAfter('GroupId', value)).toBe(tokenOf('text', value))
  for (const value of ['["a","b"]', '[]', '["a",1,null]', '"a"', 'null']) {
    expect(fieldAfter('SubGroupId', value)).toEqual(JSON.parse(value))
  }
  for (const value of ['["a",["Ada"]]', '[{"a":"Ada"},"a"]', '{"a":"Ada"}', '[[]]']) {
    expect(fieldAfter('SubGroupId', value)).toBe(tokenOf('text', value))
  }
})

test('what is no record is replaced by nothing where there are personal data, and kept where somebody is erased', () => {
  const page = pageOf('["ada",null,[7]]')
  expect(recordsIn(redactPage(page, pseudonymise).page)).toEqual([null, null, null])
  expect(redactPage(page, erasing('ada')).page).toBe(page)
  const nothing = pageOf('[null,{"UserId":""}]')
  expect(redactPage(nothing, pseudonymise).page).toBe(nothing)
})

test('beside the response all is replaced, or left out', () => {
  const page = readStoredPage('{"Beside":"Ada","Response":{"Total":0,"MemberRecords":[],"RequestId":"r-1"}}')
  expect(JSON.parse(textOf(redactPage(page, pseudonymise).page))).toMatchObject({ Beside: tokenOf('text', 'Ada') })
  expect(JSON.parse(textOf(redactPage(page, drop).page))).toEqual({
    Response: { Total: 0, MemberRecords: [], RequestId: 'r-1' },
  })
})

test('six characters of an unknown text tell of somebody, and five do not', () => {
  const page = pageOf('[{"UserId":"bo","By":"ada-1a","Or":"ada-1"}]')
  expect(recordsIn(redactPage(page, erasing('ada-1a', 'ada-1')).page)).toEqual([{ UserId: 'bo', By: '', Or: 'ada-1' }])
  expect(withoutErased('{"a":["ada-1a"],"b":"ada-1"}', (id) => id.startsWith('ada'))).toBe('{"a":[""],"b":"ada-1"}')
  expect(withoutErased('{"a":"bo"}', (id) => id === 'ada-1a')).toBeUndefined()
})
