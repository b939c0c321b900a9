import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLog } from '../lib/log'
import { student } from '../lib/simulator/people'
import { openTestArchive, type TestArchive } from './support/archive'
import { testLog } from './support/log-directory'
import { isDistinctive, scanLogs } from './support/log-scan'

function linesOf(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLog('trace', { write: (line) => lines.push(line) }))
  return lines.map((line) => {
    expect(line.indexOf('\n')).toBe(line.length - 1)
    return JSON.parse(line)
  })
}

function lineOf(fields: object, message = 'event'): Record<string, unknown> {
  const [line = {}] = linesOf((log) => log.info(fields, message))
  return line
}

describe('a line of the log', () => {
  test('is JSON, one an event, whatever the texts in it', () => {
    expect(lineOf({ reason: 'one\ntwo\r\n"three"\u2028' }, 'a\nb')).toMatchObject({
      reason: 'one\ntwo\r\n"three"\u2028',
      msg: 'a\nb',
    })
  })

  test('has ids as strings, times in ISO 8601, and numbers as they are', () => {
    const fields = {
      roomId: 2n ** 63n - 1n,
      sdkAppId: 1_400_000_001n,
      rooms: [1n],
      dueAt: new Date(0),
      durationMs: 1.5,
    }
    expect(lineOf(fields)).toMatchObject({
      roomId: '9223372036854775807',
      sdkAppId: '1400000001',
      rooms: ['1'],
      dueAt: '1970-01-01T00:00:00.000Z',
      durationMs: 1.5,
    })
  })

  test.each([
    ...['secretId', 'secretKey', 'token', 'password', 'authorization', 'Authorization', 'Sign', 'CallbackKey', 'key'],
    ...['DATABASE_URL', 'databaseUrl', 'connectionString', 'url', 'TENCENTCLOUD_SECRET_KEY', 'TENCENTCLOUD_SECRETKEY'],
    ...['TENCENTCLOUD_SESSION_TOKEN', 'LCIC_CALLBACK_KEY', 'X-TC-Token', 'credentials', 'UserName', 'user_name'],
    ...[
      'IPAddress',
      'ip_address',
      'Location',
      'location',
      'UserId',
      'x-forwarded-for',
      'MemberRecords',
      'body',
      'records',
    ],
    ...['headers', 'env', 'rows'],
  ])('has nothing of what comes as %s, however deep', (name) => {
    const value = {
      [name]: 'hush',
      nested: { [name]: { deeper: 'hush' }, list: [{ [name]: ['hush'] }, { a: { [name]: 'hush' } }] },
    }
    const lines = linesOf((log) => {
      log.info(value, 'event')
      log.info({ err: Object.assign(new Error('failed'), value), value }, 'event')
      log.child(value).child({ value }).info('event')
    })
    expect(JSON.stringify(lines)).not.toContain('hush')
    expect(lines[0]?.[name]).toBe('(redacted)')
  })

  test('has counts and flags under any name', () => {
    const counts = { records: 30, pages: 2, token: true, body: 0, location: null, members: undefined }
    expect(lineOf({ ...counts, read: counts })).toMatchObject({
      records: 30,
      read: { records: 30, token: true, location: null },
    })
  })

  test('has no address and no password of a URL in any text, except the addresses of this machine', () => {
    const text =
      'postgres://lcic:hush@10.1.2.3:5432/lcic, [2001:db8::7]:443 or ::ffff:10.1.2.3; 127.0.0.1:9701, ::1, at 12:30:45'
    const said =
      'postgres://lcic:(password)@(address):5432/lcic, [(address)]:443 or (address); 127.0.0.1:9701, ::1, at 12:30:45'
    const lines = linesOf((log) => {
      log.info({ reason: text, list: [{ text }] }, text)
      log.info('%s', text)
      log.child({ text }).info(text)
      log.error({ err: new Error(text) })
      log.error(new Error(text))
      log.info({ endpoint: new URL('https://lcic:hush@203.0.113.9/') })
    })
    expect(lines[0]).toMatchObject({ reason: said, list: [{ text: said }], msg: said })
    expect(lines[1]).toMatchObject({ msg: said })
    expect(lines[3]).toMatchObject({ err: { message: said, stack: expect.stringContaining('log.test.ts') }, msg: said })
    expect(lines[4]).toMatchObject({ err: { message: said }, msg: said })
    expect(JSON.stringify(lines)).not.toMatch(/hush|10\.1\.2\.3|2001:db8|203\.0/)
  })

  test('has of an error that quotes only where it was, and of several reasons all', () => {
    const refused = Object.assign(new Error('Key (user_name)=(Ada) is there'), {
      severity: 'ERROR',
      code: '23505',
      constraint: 'members_pkey',
      detail: 'Failing row contains (Ada).',
    })
    const lines = linesOf((log) => {
      log.error({ err: refused })
      log.error(refused)
      log.error({ cause: { cause: [refused] } }, 'nested')
      try {
        JSON.parse('{"UserName":"Ada",}')
      } catch (error) {
        log.error({ err: error })
      }
    })
    expect(JSON.stringify(lines)).not.toContain('Ada')
    for (const line of lines.slice(0, 2))
      expect(line).toMatchObject({
        err: { code: '23505' },
        msg: 'PostgreSQL refused with SQLSTATE 23505 (constraint members_pkey)',
      })
    expect(lines[3]).toMatchObject({ err: { type: 'SyntaxError', stack: expect.stringContaining('log.test.ts') } })
    const several = new AggregateError([
      new Error('connect ECONNREFUSED ::1:1'),
      new Error('connect ECONNREFUSED 10.0.0.1:1'),
    ])
    expect(lineOf({ err: several })).toMatchObject({
      err: { message: 'connect ECONNREFUSED ::1:1; connect ECONNREFUSED (address):1' },
    })
  })

  test('takes no time however long a text is', () => {
    const text = `${'a'.repeat(1_000_000)}:${'x:'.repeat(500_000)} 10.1.2.3 ${'1234.'.repeat(200_000)} ${'://a:'.repeat(200_000)}`
    const began = performance.now()
    const found = String(lineOf({ text }).text)
    expect(found.slice(2_000_000).includes('(address)')).toBe(true)
    expect(found.includes('10.1.2.3')).toBe(false)
    expect(performance.now() - began).toBeLessThan(2000)
  })

  test('is written however deep, large or binary the value is', () => {
    const deep: Record<string, unknown> = {}
    deep.deep = deep
    expect(lineOf({ deep, bytes: Buffer.from('hush'), of: new Map([['a', 'hush']]) })).toMatchObject({
      deep: { deep: { deep: {} } },
      bytes: '(4 bytes)',
    })
  })
})

describe('the log of the archive', () => {
  let archive: TestArchive
  let lines: Record<string, unknown>[]
  beforeEach(async () => {
    lines = []
    archive = await openTestArchive({ log: testLog((line) => lines.push(JSON.parse(line))) })
  })
  afterEach(() => archive.close())

  test('says of each request and each room which it was, the attempt, the RequestId, the class and the duration', async () => {
    const { roomId } = archive.school.addRoom({ members: 3 })
    const codes = ['InternalError', 'Odd.Code']
    archive.simulator.setFaults(() => {
      const code = codes.shift()
      return code === undefined ? undefined : { kind: 'error', code }
    })
    await archive.archive(roomId)
    const [first, second, third] = archive.simulator.requests.map((request) => request.requestId)
    const subject = { roomId: String(roomId), attempt: 1, durationMs: expect.any(Number) }
    const request = { ...subject, action: 'DescribeRoomStatistics', page: 1 }
    expect(lines).toMatchObject([
      { ...request, kind: 'transient', code: 'InternalError', requestId: first, msg: 'retry' },
      { ...request, kind: 'unknown', code: 'Odd.Code', requestId: second, msg: 'unknown code' },
      { ...request, kind: 'unknown', code: 'Odd.Code', requestId: second, msg: 'retry' },
      { ...request, requestId: third, msg: 'answer' },
      { ...subject, outcome: 'archived', requestId: third, records: 3, msg: 'room' },
    ])
  })

  test('says of a room that is put off why', async () => {
    const { roomId } = archive.school.addRoom({ fate: 'missing' })
    await archive.archive(roomId)
    expect(lines.at(-1)).toMatchObject({
      level: 40,
      roomId: String(roomId),
      outcome: 'gone',
      code: 'ResourceNotFound.Room',
      requestId: archive.simulator.requests.at(-1)?.requestId,
      reason: expect.stringContaining(`Room ${roomId}`),
      durationMs: expect.any(Number),
    })
  })
})

describe('the scan of all logs', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lcic-archive-logs-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  async function leaksIn(...lines: string[]): Promise<string[]> {
    await writeFile(
      join(directory, '1.in-play'),
      ['Robert "Bobby" O\'Tables', 'hunter2-key', 'before'].map((text) => `${JSON.stringify(text)}\n`).join(''),
    )
    await writeFile(join(directory, '1.log'), `{"msg":"room"}\n${lines.join('\n')}\n`)
    const scan = await scanLogs(directory, ['Pass_word1'])
    expect(scan.lines).toBe(lines.length + 1)
    return scan.leaks.map(({ what }) => what)
  }

  const names = Array.from({ length: 500 }, (_, number) => student(number).name).filter(isDistinctive)

  test('finds every name, secret and address, in JSON, in JSON within JSON, and in plain text', async () => {
    expect(names.length).toBeGreaterThan(400)
    for (const text of [
      ...names.slice(0, 40),
      'hunter2-key',
      'Pass_word1',
      '203.0.113.7',
      '2001:db8:a::7',
      '10.1.2.3',
    ]) {
      expect(await leaksIn(JSON.stringify({ msg: 'room', deep: [{ reason: `of ${text}: no` }] }))).toHaveLength(1)
      expect(await leaksIn(JSON.stringify({ [text]: 1 }))).toHaveLength(1)
    }
    expect(
      await leaksIn(...names.map((name) => JSON.stringify({ body: JSON.stringify({ UserName: name }) }))),
    ).toHaveLength(names.length)
    expect(await leaksIn(JSON.stringify({ name: 'Robert "Bobby" O\'Tables' }))).toEqual([
      JSON.stringify('Robert "Bobby" O\'Tables'),
    ])
    expect(await leaksIn('could not reach 192.0.2.4:5432.', 'at postgres://lcic:pw@h/d', 'Error: hunter2-key')).toEqual(
      ['the address 192.0.2.4', 'the password in ://lcic:pw@', '"hunter2-key"'],
    )
  })

  test('finds a record, however short the name in it', async () => {
    expect(await leaksIn('{"row":{"user_name":"Al"}}', '{"body":"{\\"UserName\\":\\"Al\\"}"}')).toHaveLength(2)
  })

  test('gives no alarm for what a log may hold', async () => {
    const line = {
      time: 1_795_551_422_148,
      roomId: '9223372036854775807',
      at: '2026-03-02T08:00:00.000Z',
      msg: 'before: the room',
    }
    const fine = [
      JSON.stringify({
        ...line,
        endpoint: 'http://127.0.0.1:9701',
        reason: 'connect ECONNREFUSED ::1:5432',
        UserName: '(redacted)',
      }),
      JSON.stringify({
        ...line,
        reason: 'PostgreSQL 18.4, postgres://lcic:(password)@(address)/lcic, hunter2-keys, 1.2.3.4.5',
      }),
      'DATABASE_URL: for example postgres://user:password@host:5432/lcic',
    ]
    expect(await leaksIn(...fine)).toEqual([])
  })
})
