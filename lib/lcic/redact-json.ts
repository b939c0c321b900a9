/**
 * Changes to a JSON text that leave all else in it character by character: numbers of any length, escapes, white space.
 * The texts are JSON already: whoever has read them before has found out.
 */

/** A value, and where it stands in its text. */
export interface Node {
  readonly start: number
  readonly end: number
  /** Of an object that was looked into: entries of equal names all. */
  readonly entries?: readonly Entry[]
  /** Of a list that was looked into. */
  readonly items?: readonly Node[]
}

export interface Entry {
  readonly name: string
  /** Where it begins: with its name. */
  readonly start: number
  readonly value: Node
}

/** What becomes of a value: another text in its place, `null` to leave it out, `undefined` to keep it. */
export type Verdict = string | null | undefined

/** The value that a text holds, there or from its start, looked into so many levels deep, and no deeper. */
export function parseNodes(text: string, levels: number, at = 0): Node {
  return nodeAt(text, skipSpace(text, at), levels)
}

/**
 * The object or list with each of its parts changed by its verdict. Where one is left out, the others are joined anew:
 * what is left is the same text whether parts go one by one or together.
 *
 * @returns `undefined` if all are kept
 */
export function rewrite(text: string, node: Node, verdictOf: (part: Entry | Node) => Verdict): string | undefined {
  const parts = node.entries ?? node.items ?? []
  const verdicts = parts.map(verdictOf)
  if (verdicts.every((verdict) => verdict === undefined)) return undefined
  const isJoined = verdicts.includes(null)
  let result = isJoined ? text.charAt(node.start) : ''
  let copied = node.start
  let separator = ''
  for (const [index, part] of parts.entries()) {
    const verdict = verdicts[index]
    if (verdict === null) continue
    const value = 'value' in part ? part.value : part
    result += isJoined ? separator + text.slice(part.start, value.start) : text.slice(copied, value.start)
    result += verdict ?? text.slice(value.start, value.end)
    copied = value.end
    separator = ','
  }
  return result + text.slice(isJoined ? node.end - 1 : copied, node.end)
}

/** The strings of a value, names in it included, however deep, each changed by its verdict; `undefined` if all are kept. */
export function rewriteStrings(
  text: string,
  { start, end }: Node,
  verdictOf: (string: string) => string | undefined,
): string | undefined {
  let result = ''
  let copied = start
  // Stryker disable next-line EqualityOperator: no quote stands right behind a value.
  for (let at = text.indexOf('"', start); at !== -1 && at < end; ) {
    const after = endOfString(text, at)
    const verdict = verdictOf(stringOf(text, at, after))
    if (verdict !== undefined) {
      result += text.slice(copied, at) + verdict
      copied = after
    }
    at = text.indexOf('"', after)
  }
  return copied === start ? undefined : result + text.slice(copied, end)
}

/** What a string says. */
export function stringOf(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1)
  // Stryker disable next-line StringLiteral: JSON.parse would read the others as well, and takes longer.
  return inner.includes('\\') ? String(JSON.parse(text.slice(start, end))) : inner
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, SPACE] = [...'"\\,[]{} '].map((one) =>
  one.charCodeAt(0),
)

function nodeAt(text: string, start: number, levels: number): Node {
  const first = text.charCodeAt(start)
  if (levels > 0 && first === OPEN_OBJECT) return objectAt(text, start, levels)
  if (levels > 0 && first === OPEN_LIST) return listAt(text, start, levels)
  return { start, end: endOf(text, start) }
}

function objectAt(text: string, start: number, levels: number): Node {
  const entries: Entry[] = []
  let at = skipSpace(text, start + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at)
    const value = nodeAt(text, skipSpace(text, skipSpace(text, nameEnd) + 1), levels - 1)
    entries.push({ name: stringOf(text, at, nameEnd), start: at, value })
    at = afterComma(text, value.end)
  }
  return { start, end: at + 1, entries }
}

function listAt(text: string, start: number, levels: number): Node {
  const items: Node[] = []
  let at = skipSpace(text, start + 1)
  // Stryker disable next-line ConditionalExpression,EqualityOperator: it is for texts that are no JSON.
  while (at < text.length && text.charCodeAt(at) !== CLOSE_LIST) {
    const item = nodeAt(text, at, levels - 1)
    items.push(item)
    at = afterComma(text, item.end)
  }
  return { start, end: at + 1, items }
}

function afterComma(text: string, end: number): number {
  const at = skipSpace(text, end)
  return text.charCodeAt(at) === COMMA ? skipSpace(text, at + 1) : at
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= (SPACE ?? 0)) at++
  return at
}

/** Where the value ends that begins here; without recursion, however deep it is. */
function endOf(text: string, start: number): number {
  let depth = 0
  let at = start
  do {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (code === OPEN_OBJECT || code === OPEN_LIST) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth--
    else if (depth === 0) return endOfScalar(text, at)
    at++
  } while (
    depth > 0 &&
    // Stryker disable next-line ConditionalExpression,EqualityOperator: it is for texts that are no JSON.
    at < text.length
  )
  return at
}

function endOfScalar(text: string, start: number): number {
  // Stryker disable next-line EqualityOperator: behind the end there is nothing that ends a value.
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST || code <= (SPACE ?? 0)) return at
  }
  return text.length
}

/** Where the string ends that begins here. */
export function endOfString(text: string, start: number): number {
  // Stryker disable next-line EqualityOperator: behind the end there is no quote.
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
  return text.length
}
