import { createHash } from 'node:crypto'
import {
  codeOf,
  countOf,
  isCode,
  isCount,
  isText,
  isTexts,
  isTime,
  type Reading,
  storableJson,
  storableText,
  textOf,
  textsOf,
  timeOf,
  unknownFields,
} from './values'

/** A member record in the API's names whose every value its column holds; what had none is in `extra`, if there is any. */
export type MemberRecord = Readonly<Record<string, unknown>>
export type LoadableRecord = MemberRecord & { readonly extra: Readonly<Record<string, unknown>> }

type ValueKind = 'text' | 'texts' | 'count' | 'code' | 'time'

/**
 * The fields of a MemberRecord and what each holds. Source: data types of LCIC API 2022-08-17.
 * Camera, Mic, Silence and Stage are flags, documented as 0 and 1.
 */
export const memberFields: Readonly<Record<string, ValueKind>> = {
  UserId: 'text',
  UserName: 'text',
  PresentTime: 'count',
  Camera: 'count',
  Mic: 'count',
  Silence: 'count',
  AnswerQuestions: 'count',
  HandUps: 'count',
  FirstJoinTimestamp: 'time',
  LastQuitTimestamp: 'time',
  Rewords: 'count',
  IPAddress: 'text',
  Location: 'text',
  Device: 'code',
  PerMemberMicCount: 'count',
  PerMemberMessageCount: 'count',
  Role: 'code',
  GroupId: 'text',
  SubGroupId: 'texts',
  Stage: 'count',
  CurrentState: 'code',
}

/** Whether PostgreSQL can load the record as it came. True for all records of a page in ordinary life. */
export function isLoadable(record: unknown): record is MemberRecord {
  if (!isObject(record)) return false
  for (const name in record) {
    const value = record[name]
    const holds = kinds.get(name)?.holds
    if (holds === undefined || (value !== null && !holds(value))) return false
  }
  return isText(record.UserId) && String(record.UserId).length <= MOST_ID_CHARACTERS
}

/**
 * The record with every value made to fit its column; the originals of those that did not, and all fields that have no
 * column, in `extra`. A record that names no user has a null UserId: the snapshot is then not valid.
 */
export function cleanRecord(record: unknown): LoadableRecord {
  if (!isObject(record)) return { UserId: null, extra: {} }
  const extra = unknownFields(record, fieldNames)
  const clean: Record<string, unknown> = {}
  for (const [name, { read }] of kinds) {
    if (record[name] === undefined) continue
    const { value, odd } = read(record[name])
    clean[name] = value
    if (odd) extra[name] = storableJson(record[name])
  }
  const id = clean.UserId
  // Stryker disable next-line ConditionalExpression: nothing else has a length.
  if (typeof id === 'string' && id.length > MOST_ID_CHARACTERS) {
    extra.UserId = id
    clean.UserId = shortenId(id)
  }
  return { ...clean, extra }
}

/** An index row of PostgreSQL holds about 2,700 bytes; LCIC's ids are shorter than 100. */
const MOST_ID_CHARACTERS = 500

/** A user id as the archive has it: storable, and no longer than an index takes. */
export function canonicalId(id: string): string {
  const text = storableText(id)
  return text.length > MOST_ID_CHARACTERS ? shortenId(text) : text
}

/** Its start, and a hash of the whole, so that different ids stay different. */
function shortenId(id: string): string {
  return `${id.slice(0, 400).toWellFormed()}#${createHash('sha256').update(id).digest('hex')}`
}

interface Kind {
  /** Whether a column of this kind holds the raw value exactly. */
  readonly holds: (raw: unknown) => boolean
  readonly read: (raw: unknown) => Reading<unknown>
}

const kindsByName: Readonly<Record<ValueKind, Kind>> = {
  text: { holds: isText, read: textOf },
  texts: { holds: isTexts, read: textsOf },
  count: { holds: isCount, read: countOf },
  code: { holds: isCode, read: codeOf },
  time: { holds: isTime, read: timeOf },
}

const fieldNames = Object.keys(memberFields)
// Stryker disable next-line ArrowFunction: without it this file cannot be read, and no test begins that could fail.
const kinds = new Map(Object.entries(memberFields).map(([name, kind]) => [name, kindsByName[kind]]))

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
