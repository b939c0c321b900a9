import { type Kysely, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { version } from '../../package.json'
import type { Language } from '../config'
import type { Database } from '../db/tables'
import { ArchiveError, UsageError } from '../errors'
import { classPage } from './class-page'
import { type Format, formatOf } from './format'
import { html } from './html'
import { type Messages, messagesIn } from './messages'
import { overviewPage } from './overview-page'
import { type Page, paragraph, renderPage } from './page'
import { readClass } from './read-class'
import { withNames, withNamesInClass } from './read-names'
import { type OverviewSubject, readOverview } from './read-overview'
import { wallMsOf } from './wall-time'

export type { OverviewSubject, SchoolTime } from './read-overview'

export interface ReportOptions {
  readonly language: Language
  /** Show names, which are personal data. */
  readonly names: boolean
  /** When the report is written, milliseconds since the Unix epoch. */
  readonly now: number
}

/**
 * The report of one class, a whole HTML document. It reads schema `analytics` alone, and `analytics_pii` for names.
 *
 * @throws {ArchiveError} `E_NO_ROOM` if the room is not archived, or not for this role to see
 * @throws {UsageError} `E_RIGHTS` if the role may not see names
 */
export async function reportClass(db: Kysely<Database>, roomId: bigint, options: ReportOptions): Promise<string> {
  const { data, writtenAt } = await atOneMoment(db, options, async (tx) => {
    const read = await readClass(tx, roomId)
    if (!read || !options.names) return read
    const members = await named(() => withNamesInClass(tx, roomId, read.members))
    return { ...read, members, absentees: await withNamesInClass(tx, roomId, read.absentees) }
  })
  if (!data) {
    throw new ArchiveError(
      'E_NO_ROOM',
      `Room ${roomId} is not in the archive, or this role may not see its app. lcic-archive archive ${roomId} archives it.`,
    )
  }
  return written(writtenAt, options, (format, texts) => classPage(data, format, texts))
}

/**
 * The report of all classes, or one course's, that started in a span of time, a whole HTML document.
 *
 * @throws {UsageError} `E_USAGE` if the span is empty, `E_RIGHTS` if the role may not see names
 */
export async function reportOverview(
  db: Kysely<Database>,
  subject: OverviewSubject,
  options: ReportOptions,
): Promise<string> {
  const { data, writtenAt } = await atOneMoment(db, options, async (tx) => {
    const read = await readOverview(tx, subject)
    return options.names ? { ...read, atRisk: await named(() => withNames(tx, read.atRisk)) } : read
  })
  return written(writtenAt, options, (format, texts) => overviewPage(data, format, texts))
}

/** All figures are of the same state of the archive, and nothing is changed. */
function atOneMoment<Data>(
  db: Kysely<Database>,
  { now }: ReportOptions,
  read: (tx: Transaction<Database>) => Promise<Data>,
): Promise<{ data: Data; writtenAt: number }> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      // Plans of views look dearer than they are, and compiling them takes longer than running them.
      await sql`set local jit to off`.execute(tx)
      const { rows } = await sql<{ at: number }>`
        select ${wallMsOf(sql`${new Date(now)}::timestamptz`)} as at from analytics.settings s`.execute(tx)
      return { data: await read(tx), writtenAt: rows[0]?.at ?? now }
    })
}

async function named<Data>(read: () => Promise<Data>): Promise<Data> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '42501') throw error
    throw new UsageError(
      'E_RIGHTS',
      'This role may not see names. Grant it lcic_pii_reader, or leave --names out: members are then shown by their ids.',
      { cause: error },
    )
  }
}

async function written(
  at: number,
  { language }: ReportOptions,
  page: (format: Format, texts: Messages) => Promise<Page>,
): Promise<string> {
  const format = formatOf(language)
  const texts = messagesIn(language)
  const { footer, ...rest } = await page(format, texts)
  const told = texts.page.footer(version, `${format.date(at)} ${format.time(at)}`)
  return renderPage({ ...rest, footer: html`${footer}${paragraph(told)}` }, texts)
}
