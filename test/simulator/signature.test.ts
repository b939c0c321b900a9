import { expect, test } from 'vitest'
import { signTc3 } from '../../lib/simulator'

const documented = {
  secretKey: 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE',
  timestamp: 1551113065,
  service: 'cvm',
  method: 'POST',
  path: '/',
  query: '',
  headers: [
    ['content-type', 'application/json; charset=utf-8'],
    ['host', 'cvm.tencentcloudapi.com'],
  ] as [string, string][],
  payload: '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}',
}

test('the documented example has the documented signature', () => {
  expect(signTc3(documented)).toBe('72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168')
})

test('text and bytes sign alike', () => {
  expect(signTc3({ ...documented, payload: Buffer.from(documented.payload) })).toBe(signTc3(documented))
})

test.each([
  { secretKey: 'another' },
  { timestamp: 1551113066 },
  { service: 'lcic' },
  { method: 'GET' },
  { path: '/x' },
  { query: 'a=1' },
  { headers: [['content-type', 'application/json; charset=utf-8']] as [string, string][] },
  { payload: '{}' },
])('every part counts: %j', (change) => {
  expect(signTc3({ ...documented, ...change })).not.toBe(signTc3(documented))
})
