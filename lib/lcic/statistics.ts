import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Answer } from './client'
import { SourceError } from './errors'
import { readLosslessResponse } from './lossless-json'
import { cleanRecord, isLoadable, type MemberRecord } from './member-record'
import { isReadableJson } from './readable-json'
import { countOf, isStorableJson, type Reading, storableJson, storableText, timeOf, unknownFields } from './values'

/** One page of a room's statistics: the text as it came, and what the archive needs to know of it. */
export interface StatisticsPage {
  /** The whole answer, `{"Response":{…}}`, character by character. */
  readonly body: Buffer
  readonly requestId: string
  readonly figures: PageFigures
  readonly recordCount: number
  /**
   * All records of the page made loadable, present only where those in `body` are not: a field without a column, or a
   * value its column cannot hold.
   */
  readonly records?: readonly MemberRecord[]
  /** The records as they can be loaded: `records`, or else those in `body`. */
  readonly members: readonly MemberRecord[]
  /** SHA-256 of `body` without its RequestId: two pages of equal hash say the same. */
  readonly contentHash: string
}

/** What each page says of the room as a whole. Times are Unix seconds, null where there is none. */
export interface RoomFigures {
  /** Records of the room, those who should have come and did not included. */
  readonly Total: number
  readonly PeakMemberNumber: number | null
  readonly MemberNumber: number | null
  readonly RealStartTime: number | null
  readonly RealEndTime: number | null
  readonly MessageCount: number | null
  readonly MicCount: number | null
}

/** The figures, and the fields beside them that have no column. Those need not agree between pages. */
export interface PageFigures extends RoomFigures {
  readonly extra: Readonly<Record<string, unknown>>
}

/**
 * Reads a page from an answer of DescribeRoomStatistics.
 *
 * @throws {SourceError} `E_NOT_AN_API_ANSWER` where there is no usable `Total` or `MemberRecords`.
 */
export function readStatisticsPage(answer: Answer): StatisticsPage {
  const page = readPage(answer)
  // Stryker disable next-line ConditionalExpression: what is ordinary would be read again to the very same.
  const isOrdinary = page.records === undefined && Object.keys(page.figures.extra).length === 0
  // Stryker disable next-line ConditionalExpression: as above.
  if (isOrdinary) return page
  // Only values out of the ordinary can be whole numbers beyond 2^53, which JavaScript rounds. They are read again as
  // strings of their digits: two user ids that differ must stay different.
  const text = page.body.toString()
  return hugeNumber.test(text) ? readPage({ body: page.body, response: readLosslessResponse(text) }) : page
}

/** Reads a page again from its stored text, as `replay` does. */
export function readStoredPage(body: string): StatisticsPage {
  return readStatisticsPage({ body: Buffer.from(body), response: responseOf(JSON.parse(body)) })
}

// Stryker disable next-line Regex: what has none would be read again to the very same.
const hugeNumber = /[:[,]\s*-?\d{16}/

function responseOf(parsed: unknown): unknown {
  return z.object({ Response: z.unknown() }).parse(parsed).Response
}

function readPage({ body, response }: Answer): StatisticsPage {
  const { success, data } = responseSchema.safeParse(response)
  if (!success) {
    throw new SourceError('transient', 'E_NOT_AN_API_ANSWER', 'The answer holds no room statistics.')
  }
  const { MemberRecords, RequestId: requestId, Total: total, ...rest } = data
  const sent = MemberRecords ?? []
  const extra = unknownFields(rest, figureNames)
  const figure = (name: (typeof figureNames)[number], read: (raw: unknown) => Reading<number>): number | null => {
    const { value, odd } = read(rest[name])
    if (odd) extra[name] = storableJson(rest[name])
    return value
  }
  return {
    body,
    requestId,
    figures: {
      Total: total,
      PeakMemberNumber: figure('PeakMemberNumber', countOf),
      MemberNumber: figure('MemberNumber', countOf),
      RealStartTime: figure('RealStartTime', timeOf),
      RealEndTime: figure('RealEndTime', timeOf),
      MessageCount: figure('MessageCount', countOf),
      MicCount: figure('MicCount', countOf),
      extra,
    },
    recordCount: sent.length,
    ...loadableRecords(sent, Boolean(MemberRecords) && isStorableJson(rest) && isReadableJson(body)),
    contentHash: hashWithout(body, requestId),
  }
}

/** @param isReadable one text or number that PostgreSQL cannot hold, wherever it is, makes the whole body unreadable to it */
function loadableRecords(sent: readonly unknown[], isReadable: boolean): Pick<StatisticsPage, 'members' | 'records'> {
  if (isReadable && sent.every(isLoadable)) return { members: sent }
  // Few records of a page are odd; the others are taken as they are.
  const records = sent.map((record) => (isLoadable(record) ? record : cleanRecord(record)))
  return { members: records, records }
}

/** Hashes the bytes as they are: without a copy of the text, and without encoding it again. */
function hashWithout(body: Buffer, requestId: string): string {
  const hash = createHash('sha256')
  const start = body.indexOf(requestId)
  // Written with escapes: it stays in, and the page merely counts as a new one.
  if (start === -1) return hash.update(body).digest('hex')
  const end = start + Buffer.byteLength(requestId)
  return hash.update(body.subarray(0, start)).update(body.subarray(end)).digest('hex')
}

export const figureNames = [
  'PeakMemberNumber',
  'MemberNumber',
  'RealStartTime',
  'RealEndTime',
  'MessageCount',
  'MicCount',
] as const

const responseSchema = z.looseObject({
  RequestId: z.string().min(1).max(200).transform(storableText),
  Total: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(0).max(10_000_000)),
  // Not a schema of the records: checking a thousand of them by one would cost more than all else that is done to a page.
  MemberRecords: z.custom<unknown[]>(Array.isArray).nullish(),
})
