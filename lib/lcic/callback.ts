import { createHash, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import type { CallbackConfig } from '../config'
import { ArchiveError } from '../errors'
import { idSchema } from './id'
import { parseLossless } from './lossless-json'
import { isStorableJson } from './values'

/** What LCIC calls back with. Its signature covers neither body nor room: it is a hint, and never a source of facts. */
export interface Callback {
  /** Such as `RoomEnd`. */
  readonly eventType: string
  readonly sdkAppId: bigint | null
  /** Only of events that announce the end of a class. */
  readonly endedRoomId: bigint | null
}

/** A callback that is not believed, or cannot be read. */
export class CallbackError extends ArchiveError {
  constructor(
    code: string,
    message: string,
    /** What to answer. */
    readonly httpStatus: 400 | 401 | 403 | 413,
  ) {
    super(code, message)
  }
}

/** Far above any callback. */
export const MOST_CALLBACK_BYTES = 64 * 1024

/**
 * How far ahead the end of a signature's validity may lie: whoever got hold of one can use it until then. The platform
 * that LCIC shares its callbacks with signs for minutes.
 */
const MOST_AHEAD_MS = 6 * 3_600_000

/**
 * Reads a callback, and checks who sent it: `Sign` is the MD5 of the key and `ExpireTime`, in lower-case hex. Fields and
 * events that are not known are accepted, and no digit of an id is lost. Source: the callbacks of Tencent's interactive
 * whiteboard, which LCIC's are assumed to equal.
 *
 * @param nowMs milliseconds since the epoch
 * @throws {CallbackError}
 */
export function readCallback(
  body: string,
  { key, acceptUnsigned, sdkAppIds }: CallbackConfig,
  nowMs: number,
): Callback {
  if (Buffer.byteLength(body) > MOST_CALLBACK_BYTES) {
    throw new CallbackError('E_CALLBACK_TOO_LARGE', `A callback has at most ${MOST_CALLBACK_BYTES} bytes.`, 413)
  }
  // What anybody may send is read in the cheapest way; only what is signed is worth more.
  const signed = parsed(body, JSON.parse)
  const { ExpireTime, Sign } = fitting(signature, signed, 'ExpireTime or Sign has an impossible value')
  if (key !== undefined && (Sign || !acceptUnsigned)) {
    checkSignature({ key, expireTime: ExpireTime, sign: Sign }, nowMs)
  } else if (!acceptUnsigned) {
    throw new CallbackError('E_CALLBACK_NO_KEY', 'Callbacks cannot be checked: set LCIC_CALLBACK_KEY.', 401)
  }
  const value = parsed(body, parseLossless)
  if (!isStorableJson(value)) throw malformed('it has texts or depths that cannot be stored')
  const envelope = fitting(announcement, value, 'it lacks an EventType, or SdkAppId is no whole number')
  const { EventType: eventType, SdkAppId: sdkAppId = null } = envelope
  if (sdkAppIds.length > 0 && sdkAppId !== null && !sdkAppIds.includes(sdkAppId)) {
    throw new CallbackError('E_CALLBACK_APP', 'The callback is of an app that LCIC_SDK_APP_IDS does not name.', 403)
  }
  if (eventType !== 'RoomEnd') return { eventType, sdkAppId, endedRoomId: null }
  const { EventData } = fitting(roomEnd, value, 'EventData has no RoomId from 1 to 2^63 - 1')
  return { eventType, sdkAppId, endedRoomId: EventData.RoomId }
}

const signature = z.looseObject({
  ExpireTime: z.union([z.number().int(), z.string().regex(/^\d{1,12}$/)]).nullish(),
  Sign: z.string().nullish(),
})

const announcement = z.looseObject({ EventType: z.string().min(1).max(100), SdkAppId: idSchema.nullish() })
const roomEnd = z.looseObject({ EventData: z.looseObject({ RoomId: idSchema }) })

function parsed(body: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(body)
  } catch {
    throw malformed('it is not JSON')
  }
}

function fitting<T>(schema: z.ZodType<T>, value: unknown, why: string): T {
  const { success, data } = schema.safeParse(value)
  if (success) return data
  throw malformed(why)
}

function malformed(why: string): CallbackError {
  return new CallbackError('E_CALLBACK_MALFORMED', `The callback cannot be read: ${why}.`, 400)
}

function checkSignature(
  {
    key,
    expireTime,
    sign,
  }: { key: string; expireTime: number | string | null | undefined; sign: string | null | undefined },
  nowMs: number,
): void {
  if (!sign || !expireTime) {
    throw new CallbackError('E_CALLBACK_UNSIGNED', 'The callback is not signed.', 401)
  }
  const expected = Buffer.from(signCallback(key, expireTime))
  const given = Buffer.from(sign)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new CallbackError('E_CALLBACK_SIGNATURE', 'The signature of the callback is wrong.', 401)
  }
  const leftMs = Number(expireTime) * 1000 - nowMs
  if (leftMs < 0) throw new CallbackError('E_CALLBACK_EXPIRED', 'The signature of the callback has expired.', 401)
  if (leftMs > MOST_AHEAD_MS) {
    throw new CallbackError('E_CALLBACK_FAR_FUTURE', 'The signature of the callback is valid for too long.', 401)
  }
}

/** @param expireTime Unix seconds; its decimal digits are what is signed */
export function signCallback(key: string, expireTime: number | string): string {
  return createHash('md5').update(`${key}${expireTime}`).digest('hex')
}
