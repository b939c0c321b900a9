import { signCallback } from '../../lib/lcic/callback'

/** What LCIC calls back with, and what those call with who are not LCIC. */
export type CallbackKind = 'true' | Forgery
export type Forgery = (typeof forgeries)[number]

export const forgeries = [
  'wrong key',
  'unsigned',
  'expired',
  'valid for years',
  'other app',
  'signature in capitals',
  'signature of another time',
  'no JSON',
] as const

/** From here on, and just before, are rooms that nobody but forgers knows. */
export const FORGED_ROOMS = 990_000_000n

/** What a callback was answered. */
export interface CallbackAnswer {
  readonly kind: CallbackKind
  readonly roomId: bigint
  /** Absent where there was no answer. */
  readonly status?: number
}

export interface CallbackTarget {
  readonly port: number
  readonly key: string
  readonly sdkAppId: number
}

/** LCIC's own time-out for its callbacks is not known; those of its siblings is this. */
const TIMEOUT_MS = 5000

/** Calls back once. */
export async function callBack(target: CallbackTarget, kind: CallbackKind, roomId: bigint): Promise<CallbackAnswer> {
  try {
    const response = await fetch(`http://127.0.0.1:${target.port}/callback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: callbackBody(target, kind, roomId, Math.floor(Date.now() / 1000)),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.arrayBuffer()
    return { kind, roomId, status: response.status }
  } catch {
    return { kind, roomId }
  }
}

/** @param now Unix seconds */
export function callbackBody(
  { key, sdkAppId }: Omit<CallbackTarget, 'port'>,
  kind: CallbackKind,
  roomId: bigint,
  now: number,
): string {
  const expireTime = now + (kind === 'expired' ? -3600 : kind === 'valid for years' ? 100_000_000 : 900)
  const signed = signCallback(kind === 'wrong key' ? `${key}x` : key, expireTime)
  const sign = kind === 'signature in capitals' ? signed.toUpperCase() : signed
  const fields = [
    `"Timestamp":${now}`,
    `"SdkAppId":${kind === 'other app' ? sdkAppId + 1 : sdkAppId}`,
    `"EventType":"RoomEnd"`,
    // A number beyond 2^53 would lose digits in JSON.stringify.
    `"EventData":{"RoomId":${roomId}}`,
    ...(kind === 'unsigned'
      ? []
      : [`"ExpireTime":${kind === 'signature of another time' ? expireTime + 1 : expireTime}`, `"Sign":"${sign}"`]),
  ]
  const body = `{${fields.join(',')}}`
  return kind === 'no JSON' ? body.slice(0, -1) : body
}
