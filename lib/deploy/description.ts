import type { ServiceFunction } from './service'

/**
 * SCF tells no hash of the code that a function has. It is kept in the function's description, which is written after
 * the code: whatever fails in between, the next deployment finds the old hash, and uploads the code once more. SCF allows letters,
 * digits, spaces, commas and full stops there.
 */
export function descriptionOf(
  { description }: ServiceFunction,
  known: { sha256: string; isInvoked?: boolean },
): string {
  const code = `Code sha256 ${known.sha256}${known.isInvoked ? INVOKED : ''}`
  return description ? `${description.replace(/\.?\s*$/, '.')} ${code}` : code
}

const INVOKED = ', invoked'

export function readDescription(description = ''): { sha256?: string; isInvoked: boolean } {
  const [whole, sha256] = /Code sha256 ([0-9a-f]{64})(, invoked)?$/.exec(description) ?? []
  return { ...(sha256 && { sha256 }), isInvoked: whole?.endsWith(INVOKED) ?? false }
}
