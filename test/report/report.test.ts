import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Language } from '../../lib/config'
import { type OverviewSubject, reportClass, reportOverview } from '../../lib/report'
import { type CommandLine, installCommandLine } from '../support/command-line'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { login } from '../support/login'
import { insertClass, insertMonth, sampleNames } from './sample-class'

let database: TestDatabase
let cli: CommandLine
beforeAll(async () => {
  database = await createTestDatabase()
  await insertClass(database.db, { roomId: 30n, students: 30 })
  await insertMonth(database.db)
  cli = await installCommandLine()
})
afterAll(async () => {
  await database?.drop()
  await cli?.remove()
})

const now = Date.UTC(2026, 4, 1, 4, 30)
const april: OverviewSubject = { from: { local: '2026-04-01' }, to: { local: '2026-05-01' } }

function classOf(roomId: bigint, { language = 'en', names = false }: { language?: Language; names?: boolean } = {}) {
  return reportClass(database.db, roomId, { language, names, now })
}

function overviewOf(subject = april, language: Language = 'en') {
  return reportOverview(database.db, subject, { language, names: false, now })
}

/** The charts of a page as they are drawn for screens. */
function charts(page: string) {
  return [...page.matchAll(/<svg class="chart wide" role="img"[\s\S]*?<\/svg>/g)].map(([svg]) => ({
    title: /<title id="[^"]+">([^<]+)</.exec(svg)?.[1],
    description: /<desc id="[^"]+">([^<]+)</.exec(svg)?.[1],
    marks: [...svg.matchAll(/<g class="mark-(?:rect|area|line)">([\s\S]*?)<\/g>/g)].flatMap(([, marks]) =>
      (marks ?? '').split('<path ').slice(1),
    ),
    texts: [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text),
  }))
}

/** What a reader reads, a line a row. */
function textOf(page: string): string {
  return page
    .replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')
    .replace(/<svg[\s\S]*?<\/svg>/g, '')
    .replace(/<(td|th|dd|dt|b|small|span)\b[^>]*>/g, ' ')
    .replace(/<\/?\w[^>]*>/g, '')
    .replace(/[ \t]+/g, ' ')
}

function rowsOf(page: string, tableId: string): string[][] {
  const table = new RegExp(`<table class="sortable" id="${tableId}">[\\s\\S]*?</table>`).exec(page)?.[0] ?? ''
  return (table.split('<tbody>')[1] ?? '')
    .split('<tr>')
    .slice(1)
    .map((row) =>
      row
        .split(/<t[dh]\b[^>]*>/)
        .slice(1)
        .map((cell) => cell.replace(/<[^>]*>/g, '').trim()),
    )
}

describe('a class report', () => {
  test('gives the figures of the class, one bar and one row a member who came, and the absent', async () => {
    const page = await classOf(30n)
    const text = textOf(page)
    expect(text).toContain('Monday, 2 March 2026, 08:00 to 08:45 (45 min)')
    expect(text).toMatch(/Attendance 87% 26 of 30 expected/)
    expect(text).toMatch(/Absent 3 never joined/)
    expect(text).toContain('Of 27 students who came, 26 stayed for 50% of the class or more')
    expect(text).toContain('This is an upper bound')
    expect(text).toContain('LCIC counted a peak of 25')
    expect(text).toMatch(/3 students never joined\.\s+stu-000009 Group class-7\s+stu-000018 Group class-7\s+stu-000027/)
    expect(text).toMatch(/Peak lower than joins and quits suggest/)
    const [status, presence, concurrency, timeline, ...others] = charts(page)
    expect(others).toEqual([])
    expect(status?.description).toBe('Present: 22, Late: 2, Left early: 2, Too short: 1, Absent: 3.')
    expect(status?.marks.map((mark) => /fill="([^"]+)"/.exec(mark)?.[1])).toEqual([
      'var(--present)',
      'url(#fill-late)',
      'url(#fill-left_early)',
      'url(#fill-partial)',
      'url(#fill-no_show)',
    ])
    expect(presence?.marks).toHaveLength(10)
    expect(presence?.texts).toEqual(expect.arrayContaining(['90–100%', '22']))
    expect(concurrency?.marks).toHaveLength(2)
    expect(concurrency?.texts).toEqual(expect.arrayContaining(['start', 'end', '08:15', 'LCIC’s peak: 25']))
    expect(timeline?.marks).toHaveLength(28)
    expect(timeline?.texts).toEqual(expect.arrayContaining(['teacher-001', 'stu-000030', 'start', '08:30']))
    const rows = rowsOf(page, 'members')
    expect(rows).toHaveLength(28)
    expect(rows[0]).toEqual([
      '1',
      'teacher-001',
      'Teacher',
      '07:57',
      '08:46',
      ...(rows[0]?.slice(5, 6) ?? []),
      '–',
      '–',
      '0',
      '0',
      '0',
      '0',
      '0',
      '–',
    ])
    expect(rows.find(([, member]) => member === 'stu-000022')?.slice(2, 5)).toEqual(['Late 10 min', '08:10', '08:44'])
  })

  test('asks nobody for anything: its policy knows the hashes of its own style and script alone', async () => {
    for (const page of [await classOf(30n, { names: true }), await overviewOf()]) {
      expect(page).not.toMatch(/https?:\/\/|url\((?!#)|<(?:link|img|iframe|object|base)\b|\bsrc=|style="|\son\w+=/)
      const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(page) ?? []
      const hashOf = (tag: string) => {
        const [, content = ''] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page) ?? []
        return createHash('sha256').update(content).digest('base64')
      }
      expect(policy?.split('; ')).toEqual([
        "default-src 'none'",
        `style-src 'sha256-${hashOf('style')}'`,
        `script-src 'sha256-${hashOf('script')}'`,
        "base-uri 'none'",
        "form-action 'none'",
      ])
    }
  })

  test('shows ids, and names only if asked; whatever a name holds is text', async () => {
    const names = sampleNames.filter((name) => name !== '')
    const without = await classOf(30n)
    for (const name of names) expect(without).not.toContain(name.slice(0, 6))
    expect(without).not.toContain('198.51.100')
    const page = await classOf(30n, { names: true })
    expect(page).toContain(
      '<bdi>&lt;b&gt;B&lt;/b&gt; &amp; role=&quot;quoted&quot;</bdi> <small><bdi>stu-000001</bdi></small>',
    )
    expect(page).toContain('O&#39;Brien &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page).not.toMatch(/<b>B<|<script>alert|\u202e/)
    expect(page).toContain('<bdi>محمد العربي</bdi>')
    expect(rowsOf(page, 'members').find(([, member]) => member === 'stu-000006')).toBeDefined()
    expect(charts(page)[3]?.texts).toEqual(
      expect.arrayContaining([
        'A name that goes on and…',
        '&lt;b&gt;B&lt;/b&gt; &amp; role="quoted"',
        '李雷 🎓',
        'stu-000006',
      ]),
    )
  })

  test('speaks Chinese', async () => {
    const page = await classOf(30n, { language: 'zh' })
    expect(page).toContain('<html lang="zh-CN">')
    const text = textOf(page)
    expect(text).toContain('2026年3月2日星期一，08:00 至 08:45（45 分钟）')
    expect(text).toMatch(/出勤率 87% 应到 30 人，出勤 26 人/)
    expect(text).toContain('到课的 27 名学生中，26 名在线时长达到课堂的 50%')
    expect(text).not.toMatch(/students|members|present|joined/i)
  })

  test('a class of 1,200 stays under a megabyte: its first 1,000 members are drawn, and said to be', async () => {
    await insertClass(database.db, { roomId: 1200n, students: 1200 })
    const page = await classOf(1200n, { names: true })
    expect(Buffer.byteLength(page)).toBeLessThan(700_000)
    expect(textOf(page)).toContain('These are the first 1,000 of 1,068 members')
    const timelines = charts(page).filter(({ title }) => title?.startsWith('When members'))
    expect(timelines.map(({ marks }) => marks.length)).toEqual(Array.from({ length: 10 }, () => 100))
    expect(timelines[9]?.texts).toEqual(expect.arrayContaining(['901', '990', '1,000']))
    expect(rowsOf(page, 'members')).toHaveLength(1000)
    // The curve is thinned, and has its highest point.
    const { rows } = await sql<{ highest: number }>`
      select max(members)::int as highest from analytics.fact_concurrency where room_id = 1200`.execute(database.db)
    expect(textOf(page)).toContain(`At most ${rows[0]?.highest.toLocaleString('en')} at the same time`)
  })

  test('classes without a roster, without times, without a length or without members make sense', async () => {
    const { db } = database
    await insertClass(db, { roomId: 31n, students: 12, hasRoster: false, name: null })
    const noRoster = textOf(await classOf(31n))
    expect(noRoster).toMatch(/Room 31\n/)
    expect(noRoster).toMatch(/Attended 11 of 11 who joined; LCIC had no list of who should come/)
    expect(noRoster).toContain('so nobody can be called absent')

    await insertClass(db, { roomId: 32n, students: 12, startedAt: null, endedAt: null })
    const noTimes = await classOf(32n)
    expect(textOf(noTimes)).toContain('LCIC gave neither start nor end')
    expect(textOf(noTimes)).toContain('The length of this class is zero or not known')
    expect(textOf(noTimes)).not.toMatch(/Attendance \d|NaN|undefined|null|Invalid/)
    expect(charts(noTimes).at(-1)?.marks).toHaveLength(12)
    expect(charts(noTimes).at(-1)?.texts).not.toContain('start')

    const at = new Date('2026-03-02T00:00:00Z')
    await insertClass(db, { roomId: 33n, students: 12, startedAt: at, endedAt: at })
    const noLength = await classOf(33n)
    expect(textOf(noLength)).toContain('08:00 to 08:00 (0 s)')
    expect(textOf(noLength)).not.toMatch(/Attendance \d|NaN|undefined|null|Invalid/)

    await insertClass(db, { roomId: 34n, students: 12 })
    await sql`delete from archive.member_records where room_id = 34`.execute(db)
    expect(charts(await classOf(34n))).toEqual([])
    expect(textOf(await classOf(34n))).toContain('LCIC lists nobody for this class')
    await sql`update archive.rooms set members_pruned_at = '2027-03-02T00:00Z', erased = 2 where room_id = 34`.execute(
      db,
    )
    const pruned = textOf(await classOf(34n))
    expect(pruned).toMatch(/members were deleted on 2 Mar 2027/)
    expect(pruned).toMatch(/2 members of this class are left out/)
    expect(pruned).toMatch(/Online at once 10 /)
    expect(pruned).not.toContain('LCIC lists nobody')
  })
})

describe('an overview', () => {
  test('tells attendance by week and course, who is at risk and why, and what is not archived', async () => {
    const page = await overviewOf()
    const text = textOf(page)
    expect(text).toContain('1 Apr 2026 to 30 Apr 2026')
    // 9, 18 and 27 never come, and 17 stays for a tenth of the time; all others attend.
    expect(text).toMatch(/Attendance 87% 326 of 376 expected/)
    expect(text).toMatch(/Classes 16 12 hours in all/)
    expect(text).toMatch(/Students 27 /)
    const [weeks, courses, completeness, ...others] = charts(page)
    expect(others).toEqual([])
    expect(weeks?.description).toBe('87% in all; lowest 85% (week of 6 Apr), highest 88% (week of 20 Apr).')
    expect(weeks?.texts).toEqual(expect.arrayContaining(['6 Apr', '13 Apr', '20 Apr', '27 Apr', '100%', '85%', '88%']))
    expect(weeks?.marks).toHaveLength(4)
    expect(courses?.texts).toEqual(expect.arrayContaining(['物理 &lt;甲班&gt;', 'English 1', '87%']))
    expect(courses?.marks).toHaveLength(4)
    expect(completeness?.description).toBe('17 classes ended in this time, and 16 of them are archived.')
    expect(completeness?.marks.filter((mark) => mark.includes('url(#fill-late)'))).toHaveLength(1)
    expect(text).toMatch(
      /Days on which something is not archived\s+Days[^\n]*\s+Day[^\n]*\s+27 Apr 2026 3 2 1 0 0 0 0\n/,
    )
    const risk = rowsOf(page, 'at-risk')
    expect(risk.map(([, student, course]) => `${student} ${course}`)).toEqual(
      ['English 1', '物理 &lt;甲班&gt;'].flatMap((course) =>
        ['000009', '000017', '000018'].map((id) => `stu-${id} ${course}`),
      ),
    )
    const why = 'missed 100%, missed the last 8'
    expect(risk[1]).toEqual(['2', 'stu-000017', 'English 1', 'High', '8', '8', '100%', expect.any(String), why])
    expect(text).toContain('Written by lcic-archive 0.1.0 on 1 May 2026 12:30.')
  })

  test('of one course, of a span that cuts days, and of one in which nothing happened', async () => {
    const english = textOf(await overviewOf({ ...april, course: 'English 1' }))
    expect(english).toMatch(/Classes 8 6 hours in all/)
    expect(english).not.toMatch(/Courses compared|物理/)
    // The class at 09:00 in Shanghai has started, the one at 10:00 has not.
    const morning = { from: { local: '2026-04-06T08:30' }, to: { at: new Date('2026-04-06T01:30:00Z') } }
    expect(textOf(await overviewOf(morning))).toMatch(/6 Apr 2026 08:30 to 6 Apr 2026 09:30[\s\S]*Classes 1 /)
    const empty = await overviewOf({ from: { local: '2024-01-01' }, to: { local: '2024-02-01' } }, 'zh')
    expect(textOf(empty)).toMatch(/2024年1月1日 至 2024年1月31日[\s\S]*这段时间内没有已归档的课堂/)
    expect(charts(empty)).toEqual([])
  })
})

describe('the command', () => {
  async function run(args: string, env: Readonly<Record<string, string>> = {}) {
    return cli.run(['report', ...args.split(' ')], { env: { DATABASE_URL: database.url, ...env } })
  }

  test('as lcic_reader it writes a whole file and says where; names need lcic_pii_reader', async () => {
    await using reader = await login(database, 'in role lcic_reader')
    const DATABASE_URL = Object.assign(new URL(database.url), { username: reader.role, password: 'secret' }).toString()
    const { exitCode, stdout, stderr } = await run('30', { DATABASE_URL, LANG: 'zh_CN.UTF-8' })
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const path = join(cli.directory, 'report-30.html')
    expect(stdout).toBe(`${path} (${(Buffer.byteLength(await readFile(path)) / 1024).toFixed(0)} kB)\n`)
    expect(await readFile(path, 'utf8')).toContain('<html lang="zh-CN">')
    for (const args of ['30 --names --out named.html', '--from 2026-04-01 --to 2026-05-01 --names --out named.html']) {
      const refused = await run(args, { DATABASE_URL })
      expect(refused).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/Grant it lcic_pii_reader.*\[E_RIGHTS\]/),
      })
    }
    await sql`grant lcic_pii_reader to ${sql.id(reader.role)}`.execute(database.db)
    const overview = await run('--from 2026-04-01 --to 2026-05-01 --names --out - --lang en', { DATABASE_URL })
    expect(overview).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Anna-Lena Müller') })
    expect(await readdir(cli.directory)).not.toContainEqual(expect.stringMatching(/named|\.part$/))
  })

  test('says what is wrong: a room that is not there ends with 1, usage with 2', async () => {
    const told = [
      ['99', 1, /Room 99 is not in the archive.*lcic-archive archive 99 archives it\. \[E_NO_ROOM\]/],
      ['30 --out /nowhere/report.html', 2, /\/nowhere\/report\.html cannot be written: ENOENT.*\[E_OUT\]/],
      ['30 --from 7d', 2, /Give a room id, or --from and --to, not both\. \[E_USAGE\]/],
      ['--from 2026-05-01 --to 2026-04-01', 2, /--from has to be before --to\. \[E_USAGE\]/],
    ] as const
    await Promise.all(
      told.map(async ([args, exitCode, stderr]) =>
        expect({ args, ...(await run(args)) }).toMatchObject({ args, exitCode, stderr: expect.stringMatching(stderr) }),
      ),
    )
  })
})
