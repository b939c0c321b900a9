import { isIPv6 } from 'node:net'

/**
 * Text as logs and tables may show it, whoever wrote it: without IP addresses, which some refusals name and which are
 * nobody's business there, and without the passwords of URLs. Those of this machine (127.0.0.1, ::1) stay.
 */
export function discreet(text: string): string {
  return withoutAddresses(withoutPasswords(text))
}

/** `postgres://user:secret@host` becomes `postgres://user:(password)@host`; a password may hold an `@` by mistake. */
function withoutPasswords(text: string): string {
  return text.includes('://') ? text.replace(/(:\/\/[^\s/:@"'\\]*):[^\s/"'\\]+@/g, '$1:(password)@') : text
}

function withoutAddresses(text: string): string {
  return text
    .replace(/(?<![\w:.])[\w:.]*:[\w:.]*/g, withoutIPv6)
    .replace(/(?<!\d)\d{1,3}(\.\d{1,3}){3}(?!\d)/g, (address) => (address.startsWith('127.') ? address : '(address)'))
}

/** As text the longest IPv6 address has 45 characters; one more may follow. */
const LONGEST = 46

/** An address may begin in the middle of what looks like a word, `IP2001:db8::7` or `ip:2001:db8::7`, and end before a colon or a full stop. */
function withoutIPv6(word: string): string {
  const last = word.slice(-LONGEST)
  const from = word.length - last.length
  for (const { index: inLast } of last.matchAll(/(?<=^|[:g-z_])(?=[\da-f:])/gi)) {
    const index = from + inLast
    for (const end of [word.length, word.length - 1]) {
      const address = word.slice(index, end)
      // Node writes the port behind it as one more colon.
      if (/^::1(:\d{1,5})?$/.test(address)) return word
      if (isIPv6(address)) return `${word.slice(0, index)}(address)${word.slice(end)}`
    }
  }
  return word
}
