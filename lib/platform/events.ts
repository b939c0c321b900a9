import * as z from 'zod'
import { UsageError } from '../errors'
import { idSchema } from '../lcic/id'
import { momentOf } from '../moment'

/** What `archive-rooms` is asked for. */
export interface ArchiveEvent {
  /** Rooms that a person or a program names: they are archived now, archived ones are read again. */
  readonly named: readonly bigint[]
  /** Rooms that messages name: their jobs become due. */
  readonly hinted: readonly bigint[]
  /** Ids and messages that name no room. */
  readonly malformed: number
  /** Whether it is the platform's clock that asks. */
  readonly isTimer: boolean
}

/** Far more than one invocation can archive. */
const MOST_ROOMS = 100_000

const archiveEvent = z.looseObject({
  Type: z.unknown().optional(),
  RoomIds: z.array(z.unknown()).max(MOST_ROOMS).optional(),
  Records: z.array(z.unknown()).max(MOST_ROOMS).optional(),
})

/** A record of SCF's CKafka trigger; its body is `{"RoomId":1}`. */
const record = z.looseObject({ Ckafka: z.looseObject({ msgBody: z.string().max(1024 * 1024) }) })
const message = z.looseObject({ RoomId: idSchema })

/**
 * Reads an event of `archive-rooms`: a timer's, `{"RoomIds":[1,2]}`, or CKafka records. Unknown fields pass; ids and
 * messages that name no room are counted, and stop nothing.
 *
 * @throws {UsageError} `E_EVENT` where it is no such event as a whole
 */
export function readArchiveEvent(event: unknown): ArchiveEvent {
  const { success, data } = archiveEvent.safeParse(event ?? {})
  if (!success) {
    throw new UsageError(
      'E_EVENT',
      'The event cannot be read. Give {"RoomIds":[1,2]} (ids beyond 2^53 as strings), or {} for all that is due.',
    )
  }
  const { RoomIds = [], Records = [], Type } = data
  const named = RoomIds.map((id) => idSchema.safeParse(id).data)
  const hinted = Records.map(roomOfRecord)
  return {
    named: distinct(named),
    hinted: distinct(hinted),
    malformed: [...named, ...hinted].filter((id) => id === undefined).length,
    isTimer: Type === 'Timer',
  }
}

function roomOfRecord(item: unknown): bigint | undefined {
  const body = record.safeParse(item).data?.Ckafka.msgBody
  if (body === undefined) return undefined
  try {
    // Ids beyond 2^53 come as strings: as numbers their last digits would not be theirs.
    return message.safeParse(JSON.parse(body)).data?.RoomId
  } catch {
    return undefined
  }
}

function distinct(ids: readonly (bigint | undefined)[]): bigint[] {
  return [...new Set(ids.filter((id) => id !== undefined))]
}

/** What `sweep-rooms` is asked for; times that are absent are those of a regular sweep. */
export interface SweepEvent {
  readonly from?: Date
  readonly to?: Date
}

const moment = z.string().transform((text, context) => {
  const at = momentOf(text)
  if (at) return at
  context.addIssue({ code: 'custom', message: 'no time' })
  return z.NEVER
})
const sweepEvent = z.looseObject({ From: moment.optional(), To: moment.optional() })

/**
 * Reads an event of `sweep-rooms`: a timer's, or `{"From":"2026-03-01","To":"36h"}`.
 *
 * @throws {UsageError} `E_EVENT`
 */
export function readSweepEvent(event: unknown): SweepEvent {
  const { success, data } = sweepEvent.safeParse(event ?? {})
  if (!success || (data.To && !data.From)) {
    throw new UsageError(
      'E_EVENT',
      'The event cannot be read. Give {"From":"2026-03-01T00:00:00Z","To":"2026-03-02T00:00:00Z"} (or how long ago, such as "36h"), From alone, or {}.',
    )
  }
  return { ...(data.From && { from: data.From }), ...(data.To && { to: data.To }) }
}

/** A request to a function's URL. */
export interface HttpEvent {
  readonly method: string
  readonly body: string
}

const httpEvent = z.looseObject({
  httpMethod: z.string().max(20).catch('POST'),
  body: z.string().catch(''),
  isBase64Encoded: z.boolean().catch(false),
})

export function readHttpEvent(event: unknown): HttpEvent {
  const { success, data } = httpEvent.safeParse(event)
  if (!success) return { method: 'POST', body: '' }
  const { httpMethod, body, isBase64Encoded } = data
  return { method: httpMethod.toUpperCase(), body: isBase64Encoded ? Buffer.from(body, 'base64').toString() : body }
}
