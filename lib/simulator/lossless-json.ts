/** What a JSON text can hold once integers keep all their digits. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json }

/**
 * Parses JSON without rounding integers above 2^53: those become bigints.
 *
 * @throws SyntaxError if the text is no JSON, RangeError if it is nested too deeply.
 */
export function parseJson(text: string): Json {
  const asItIs: Json = JSON.parse(text)
  if (!/\d{16}/.test(text)) return asItIs
  // Every string gets the prefix `s` and every long integer becomes a string with the prefix `n`: so no string that a
  // client sends can be taken for a number. The text is valid JSON here, hence no quote stands outside a string.
  const marked = text.replace(tokens, (token) => {
    if (token.startsWith('"')) return `"s${token.slice(1)}`
    return longInteger.test(token) ? `"n${token}"` : token
  })
  return JSON.parse(marked, (_key, value: Json) => unmark(value))
}

/** Encodes a value as JSON; bigints become plain digits. */
export function encodeJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map((item) => encodeJson(item ?? null)).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${encodeJson(field)}`).join()}}`
}

const tokens = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g
const longInteger = /^-?\d{16,}$/

function unmark(value: Json): Json {
  if (typeof value === 'string') return value.startsWith('n') ? BigInt(value.slice(1)) : value.slice(1)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key.slice(1), field]))
}
