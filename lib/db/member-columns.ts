import { type RawBuilder, sql } from 'kysely'

/** Records of members, a column each, as PostgreSQL's arrays hold them: it reads those in a third of the time that JSON takes. */
export interface MemberColumns {
  readonly count: number
  readonly columns: readonly Buffer[]
}

/** How values of a type are written, and the type's OID. Source: `array_recv` and the types' own receive functions. */
interface Encoding {
  readonly type: RawBuilder<unknown>
  readonly oid: number
  /** Writes all values, each after its length. @returns where it ended */
  write(view: DataView, values: readonly unknown[], at: number): number
  /** The most bytes that the values take, their lengths not counted. */
  most(values: readonly unknown[]): number
}

const text: Encoding = {
  type: sql`text[]`,
  oid: 25,
  most(values) {
    let characters = 0
    for (const value of values) if (typeof value === 'string') characters += value.length
    return 3 * characters
  },
  write(view, values, start) {
    let at = start
    for (const value of values) {
      const end = typeof value === 'string' ? writeUtf8(view, value, at + 4) : at + 4
      view.setInt32(at, typeof value === 'string' ? end - at - 4 : NULL)
      at = end
    }
    return at
  },
}

const int: Encoding = {
  type: sql`int[]`,
  oid: 23,
  most: (values) => 4 * values.length,
  write(view, values, start) {
    let at = start
    for (const value of values) {
      const isThere = typeof value === 'number'
      view.setInt32(at, isThere ? 4 : NULL)
      at += 4
      if (!isThere) continue
      view.setInt32(at, value)
      at += 4
    }
    return at
  },
}

/** Unix seconds, fractions included. */
const seconds: Encoding = {
  type: sql`float8[]`,
  oid: 701,
  most: (values) => 8 * values.length,
  write(view, values, start) {
    let at = start
    for (const value of values) {
      const isThere = typeof value === 'number'
      view.setInt32(at, isThere ? 8 : NULL)
      at += 4
      if (!isThere) continue
      view.setFloat64(at, value)
      at += 8
    }
    return at
  },
}

type Records = readonly Readonly<Record<string, unknown>>[]
type Field = (record: Records[number]) => unknown

/** The columns of `member_records`, and where a record has their values: a function each, because that is quick. */
const columns: Readonly<Record<string, readonly [Encoding, Field]>> = {
  user_id: [text, (record) => record.UserId],
  user_name: [text, (record) => record.UserName],
  present_seconds: [int, (record) => record.PresentTime],
  camera: [int, (record) => record.Camera],
  mic: [int, (record) => record.Mic],
  silence: [int, (record) => record.Silence],
  answer_questions: [int, (record) => record.AnswerQuestions],
  hand_ups: [int, (record) => record.HandUps],
  first_join_at: [seconds, (record) => record.FirstJoinTimestamp],
  last_quit_at: [seconds, (record) => record.LastQuitTimestamp],
  rewards: [int, (record) => record.Rewords],
  ip_address: [text, (record) => record.IPAddress],
  location: [text, (record) => record.Location],
  device: [int, (record) => record.Device],
  mic_count: [int, (record) => record.PerMemberMicCount],
  message_count: [int, (record) => record.PerMemberMessageCount],
  role: [int, (record) => record.Role],
  group_id: [text, (record) => record.GroupId],
  // PostgreSQL has no lists of lists of different lengths: each is a text, as PostgreSQL writes an array.
  sub_group_ids: [text, ({ SubGroupId: ids }) => (Array.isArray(ids) ? `{${ids.map(quoted).join(',')}}` : null)],
  stage: [int, (record) => record.Stage],
  current_state: [int, (record) => record.CurrentState],
  extra: [text, ({ extra }) => (extra ? JSON.stringify(extra) : null)],
}
const encodings = Object.values(columns)

/**
 * @param records in the API's names, every value of which its column holds; what has no column is in `extra`. What PostgreSQL
 *   makes of them is what it makes of the same records in a page (see landed-records.ts).
 */
export function encodeMembers(records: Records): MemberColumns {
  const count = records.length
  const values = encodings.map(([, field]) => records.map(field))
  let most = 0
  for (const [index, [{ most: mostOf }]] of encodings.entries())
    most += HEADER_BYTES + 4 * count + mostOf(values[index] ?? [])
  const bytes = Buffer.allocUnsafe(most)
  const view = new DataView(bytes.buffer, bytes.byteOffset, most)
  let at = 0
  const ends = encodings.map(([{ oid, write }], index) => {
    writeHeader(view, at, oid, count)
    at = write(view, values[index] ?? [], at + HEADER_BYTES)
    return at
  })
  // What is kept is no larger than it has to be.
  const kept = Buffer.from(bytes.subarray(0, at))
  return { count, columns: ends.map((end, index) => kept.subarray(ends[index - 1] ?? 0, end)) }
}

/** The records of several pages, with the columns of `member_records`: `user_id` and the `valueColumns`. */
export function recordsFrom(pages: readonly MemberColumns[]): RawBuilder<unknown> {
  const { columns: arrays } = joined(pages)
  const names = Object.keys(columns).map((name) => sql.id(name))
  const parameters = encodings.map(([{ type }], index) => sql`${arrays[index]}::${type}`)
  return sql`
    select
      user_id, user_name, present_seconds, camera, mic, silence, answer_questions, hand_ups,
      to_timestamp(nullif(first_join_at, 0)) as first_join_at, to_timestamp(nullif(last_quit_at, 0)) as last_quit_at,
      rewards, ip_address, location, device, mic_count, message_count, role, group_id,
      sub_group_ids::text[] as sub_group_ids, stage, current_state, coalesce(extra::jsonb, '{}') as extra
    from unnest(${sql.join(parameters)}) as r (${sql.join(names)})`
}

function joined(pages: readonly MemberColumns[]): MemberColumns {
  const [first, ...others] = pages
  if (!first || others.length === 0) return first ?? encodeMembers([])
  const count = pages.reduce((sum, page) => sum + page.count, 0)
  const arrays = encodings.map(([{ oid }], index) => {
    const header = Buffer.alloc(HEADER_BYTES)
    writeHeader(new DataView(header.buffer, header.byteOffset, HEADER_BYTES), 0, oid, count)
    return Buffer.concat([
      header,
      ...pages.map((page) => page.columns[index]?.subarray(HEADER_BYTES) ?? Buffer.alloc(0)),
    ])
  })
  return { count, columns: arrays }
}

const NULL = -1
const HEADER_BYTES = 20

/** One dimension, in which nulls may come, and which counts from 1. */
function writeHeader(view: DataView, at: number, oid: number, count: number): void {
  for (const [index, word] of [1, 1, oid, count, 1].entries()) view.setInt32(at + 4 * index, word)
}

/** Well-formed text, as most texts of a record are: short, for which a call of the system's encoder costs more. */
function writeUtf8(view: DataView, value: string, start: number): number {
  let at = start
  for (let index = 0; index < value.length; index++) {
    let code = value.charCodeAt(index)
    if (code < 0x80) {
      view.setUint8(at++, code)
      continue
    }
    if (code >= 0xd800 && code < 0xdc00) code = ((code - 0xd800) << 10) + value.charCodeAt(++index) - 0xdc00 + 0x10000
    if (code < 0x800) {
      view.setUint8(at++, 0xc0 | (code >> 6))
    } else {
      if (code < 0x10000) view.setUint8(at++, 0xe0 | (code >> 12))
      else {
        view.setUint8(at++, 0xf0 | (code >> 18))
        view.setUint8(at++, 0x80 | ((code >> 12) & 0x3f))
      }
      view.setUint8(at++, 0x80 | ((code >> 6) & 0x3f))
    }
    view.setUint8(at++, 0x80 | (code & 0x3f))
  }
  return at
}

function quoted(item: unknown): string {
  return `"${String(item).replace(/["\\]/g, '\\$&')}"`
}
