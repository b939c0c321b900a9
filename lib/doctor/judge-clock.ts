import type { Finding } from './check'

/** LCIC refuses signatures that are further off: `AuthFailure.SignatureExpire`. Source: API 3.0, signature v3. */
const REFUSED_MS = 5 * 60_000
const CONSPICUOUS_MS = 30_000

/** Compares this machine's time with that of LCIC's `Date` header, which leaves out what is below a second. */
export function judgeClock({
  date,
  askedAt,
  answeredAt,
}: {
  date: Date | undefined
  /** This machine's time, in milliseconds. */
  askedAt: number
  answeredAt: number
}): Finding {
  if (!date)
    return { status: 'warn', text: 'LCIC did not say what time it is', mend: 'Check that this machine runs NTP.' }
  const behindMs = date.getTime() + 500 - (askedAt + answeredAt) / 2
  // What the header leaves out and the way there and back do not count.
  const offMs = Math.max(0, Math.abs(behindMs) - 500 - (answeredAt - askedAt) / 2)
  if (offMs <= CONSPICUOUS_MS)
    return { status: 'pass', text: `as LCIC's, to ${(Math.ceil(offMs / 1000) + 1).toFixed()} s` }
  const text = `this machine is ${lengthOf(offMs)} ${behindMs > 0 ? 'behind' : 'ahead of'} LCIC`
  return offMs > REFUSED_MS
    ? { status: 'fail', text: `${text}, which refuses signatures that are off by more than 5 minutes`, mend: SET }
    : { status: 'warn', text, mend: SET }
}

const SET = 'Set the clock, and keep it with NTP.'

function lengthOf(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000)
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}
