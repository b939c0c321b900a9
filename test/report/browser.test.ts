import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Language } from '../../lib/config'
import { reportClass, reportOverview } from '../../lib/report'
import { createTestDatabase } from '../support/database'
import { insertClass, insertMonth } from './sample-class'

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const executablePath = places.find((place) => existsSync(place))

interface SeenChart {
  readonly title: string
  readonly text: string
  readonly fills: readonly string[]
  /** The width of the widest mark, pixels. */
  readonly widest: number
}

/** A script for browsers that tells which charts are seen, and their marks. */
const seenCharts = `
  [...document.querySelectorAll('svg[role=img]')]
    .filter((svg) => svg.getClientRects().length > 0)
    .map((svg) => {
      const marks = [...svg.querySelectorAll('.mark-rect path, .mark-area path')]
      return {
        title: svg.querySelector('title').textContent,
        text: svg.querySelector('desc').textContent,
        fills: marks.map((mark) => getComputedStyle(mark).fill),
        widest: Math.max(...marks.map((mark) => mark.getBoundingClientRect().width)),
      }
    })`

/** What a browser shows at once: its language, width and theme differ from page to page, and each comes with each other. */
const views = [
  { language: 'en', width: 1100, colorScheme: 'light' },
  { language: 'en', width: 360, colorScheme: 'dark' },
  { language: 'zh', width: 1100, colorScheme: 'dark' },
  { language: 'zh', width: 360, colorScheme: 'light' },
] as const

describe.skipIf(executablePath === undefined)(
  `reports in Chromium${executablePath ? '' : `: not looked at, because there is none at ${places.join(', ')}`}`,
  () => {
    let browser: Browser
    let directory: string
    const pages = new Map<string, string>()

    beforeAll(async () => {
      const [database] = await Promise.all([
        createTestDatabase(),
        chromium
          .launch({
            ...(executablePath && { executablePath }),
            args: ['--disable-background-networking', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
          })
          .then((launched) => {
            browser = launched
          }),
        mkdtemp(join(tmpdir(), 'lcic-archive-report-')).then((made) => {
          directory = made
        }),
      ])
      const { db } = database
      await insertClass(db, { roomId: 12n, students: 17 })
      await insertMonth(db)
      const april = { from: { local: '2026-04-01' }, to: { local: '2026-05-01' } }
      for (const language of ['en', 'zh'] as const) {
        const options = { language, names: true, now: Date.UTC(2026, 4, 1) }
        await keep(`class-${language}`, await reportClass(db, 12n, options))
        await keep(`overview-${language}`, await reportOverview(db, april, options))
      }
      await database.drop()
    })
    afterAll(async () => {
      await browser?.close()
      if (directory) await rm(directory, { recursive: true })
    })

    async function keep(name: string, html: string): Promise<void> {
      const path = join(directory, `${name}.html`)
      await writeFile(path, html)
      pages.set(name, pathToFileURL(path).href)
    }

    interface View {
      readonly language: Language
      readonly width: number
      readonly colorScheme: 'light' | 'dark'
    }

    /** Opens a page, and fails for whatever it asks of the network or complains of. */
    async function look<T>(
      name: string,
      { language, width, colorScheme }: View,
      at: (page: Page) => Promise<T>,
    ): Promise<T> {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
      const page = await context.newPage()
      const heard: string[] = []
      page.on('console', (message) => heard.push(message.text()))
      page.on('pageerror', (error) => heard.push(String(error)))
      page.on('request', (request) => heard.push(request.url()))
      const url = pages.get(`${name}-${language}`) ?? ''
      await page.goto(url)
      const seen = await at(page)
      await context.close()
      expect(heard).toEqual([url])
      return seen
    }

    test.each(views)(
      '$language, $width pixels, $colorScheme: axe finds no violation, every chart has marks that are seen and a text',
      async (view) => {
        for (const name of ['class', 'overview']) {
          await look(name, view, async (page) => {
            expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(view.width)
            const shown = await page.evaluate<SeenChart[]>(seenCharts)
            expect(shown).toHaveLength(name === 'class' ? 4 : 3)
            for (const chart of shown) {
              expect(chart).toMatchObject({ title: expect.stringMatching(/\S/), text: expect.stringMatching(/\d/) })
              expect(chart.fills.filter((fill) => fill === 'none' || fill === 'rgb(0, 0, 0)')).toEqual([])
              expect(chart.widest).toBeGreaterThan(5)
            }
            await page.evaluate(axe.source)
            const found = await page.evaluate<string[]>(
              `axe.run({ resultTypes: ['violations'] })
                .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
            )
            expect(found).toEqual([])
          })
        }
      },
    )

    test('charts follow the theme', async () => {
      const fillOf = (colorScheme: 'light' | 'dark') =>
        look('class', { language: 'en', width: 1100, colorScheme }, (page) =>
          page.evaluate<string>("getComputedStyle(document.querySelector('.mark-rect path')).fill"),
        )
      expect(await fillOf('light')).not.toBe(await fillOf('dark'))
    })

    test('keys sort the table of members by any column, and the order is told', async () => {
      await look('class', { language: 'en', width: 1100, colorScheme: 'light' }, async (page) => {
        const column = (index: number) => page.locator(`#members tbody tr > :nth-child(${index + 1})`).allTextContents()
        const sorted = () =>
          page.evaluate<string[]>(
            `[...document.querySelectorAll('#members th[aria-sort]')].map((head) => head.textContent + ' ' + head.ariaSort)`,
          )
        expect(await sorted()).toEqual(['No. ascending'])
        // The first button comes after the table itself, which is scrolled by keys.
        await page.locator('[aria-label="Table of members"]').focus()
        for (let count = 0; count < 10; count++) await page.keyboard.press('Tab')
        await page.keyboard.press('Enter')
        expect(await sorted()).toEqual(['Msgs descending'])
        const messages = (await column(9)).map(Number)
        expect(messages).toEqual([...messages].sort((a, b) => b - a))
        expect(new Set(messages).size).toBeGreaterThan(3)
        expect(await page.locator('#members-status').textContent()).toBe('Sorted by Msgs, highest first.')
        await page.keyboard.press('Space')
        expect(await sorted()).toEqual(['Msgs ascending'])
        expect((await column(9)).map(Number)).toEqual([...messages].reverse())

        // Staff have no share; whoever has none comes last in both orders.
        for (const [order, end] of [
          ['descending', '98%'],
          ['ascending', '22%'],
        ] as const) {
          await page.getByRole('button', { name: 'Present' }).press('Enter')
          expect(await sorted()).toEqual([`Present ${order}`])
          const shares = await column(6)
          expect([shares[0], shares.at(-1)]).toEqual([end, '–'])
        }
        await page.getByRole('button', { name: 'Joined' }).press('Enter')
        expect((await column(0)).map(Number)).toEqual((await column(0)).map((_, index) => index + 1))
      })
    })
  },
)
