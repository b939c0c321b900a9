import type { PersonalData } from '../config'
import { parseLossless } from './lossless-json'
import { canonicalId, memberFields } from './member-record'
import { type Entry, type Node, parseNodes, rewrite, rewriteStrings, stringOf, type Verdict } from './redact-json'
import { pseudonym, type Subject } from './redact-text'
import { figureNames, readStoredPage, type StatisticsPage } from './statistics'
import { textOf } from './values'

/** What of a page may be stored. */
export interface RedactionRules {
  /** What becomes of names, addresses and ids; absent: they are kept. */
  readonly personalData?: PersonalData | undefined
  /** Whether the member was erased; asked of user ids as LCIC has them and as they are stored. */
  readonly isErased?: ((userId: string) => boolean) | undefined
}

export interface RedactedPage {
  readonly page: StatisticsPage
  /** The records that are left out because their members were erased, as they were. */
  readonly erased: readonly string[]
}

/**
 * The page as it may be stored: its text changed where the rules say so, and character by character as it was everywhere
 * else, numbers of any length included; figures, records and hash are those of the new text. The same page by the same
 * rules is always the same text, and whether members were erased one by one or at once makes no difference.
 *
 * @returns the very same page where nothing is to be changed
 */
export function redactPage(page: StatisticsPage, rules: RedactionRules): RedactedPage {
  const erased: string[] = []
  // Stryker disable next-line ConditionalExpression: it saves reading the page.
  if (!rules.personalData && !rules.isErased) return { page, erased }
  const redactor = createRedactor(page.body.toString(), rules)
  const rewritten = redactor.page((record) => erased.push(record))
  return { page: typeof rewritten === 'string' ? readStoredPage(rewritten) : page, erased }
}

/** Texts in a JSON value that name an erased member are emptied, all else stays as it was. `undefined`: there are none. */
export function withoutErased(text: string, isErased: (userId: string) => boolean): string | undefined {
  return createRedactor(text, { isErased }).strings(parseNodes(text, 0))
}

/** In fields that are not known, shorter texts mean too many things to be taken for a user id. */
export const LEAST_TELLING = 6

/** Answer, response, list of records, record: the values of a record's fields are not looked into. */
const LEVELS = 4

function createRedactor(text: string, { personalData, isErased }: RedactionRules) {
  const sliceOf = ({ start, end }: Node) => text.slice(start, end)

  function page(onErased: (record: string) => void): Verdict {
    const root = parseNodes(text, LEVELS)
    return rewrite(text, root, (entry) =>
      nameOf(entry) === 'Response' ? response(valueIn(entry), onErased) : unknown(valueIn(entry)),
    )
  }

  function response(node: Node, onErased: (record: string) => void): Verdict {
    return rewrite(text, node, (entry) => {
      const [name, value] = [nameOf(entry), valueIn(entry)]
      if (name === 'RequestId' || name === 'Total') return undefined
      if (name !== 'MemberRecords') return figureNames.some((known) => known === name) ? number(value) : unknown(value)
      return rewrite(text, value, (item) => {
        const verdict = record(valueIn(item))
        if (verdict === null) onErased(sliceOf(valueIn(item)))
        return verdict
      })
    })
  }

  function record(node: Node): Verdict {
    // What is no object, nobody knows what it is.
    if (!node.entries) return personalData && sliceOf(node) !== 'null' ? 'null' : undefined
    if (node.entries.some(({ name, value }) => name === 'UserId' && isOfErased(value))) return null
    return rewrite(text, node, (entry) => field(nameOf(entry), valueIn(entry)))
  }

  function isOfErased(value: Node): boolean {
    if (!isErased) return false
    const id = idOf(value)
    if (!id) return false
    return isErased(id) || (personalData !== undefined && isErased(pseudonym(personalData, 'user', id)))
  }

  function field(name: string, value: Node): Verdict {
    const kind = memberFields[name]
    const subject = subjects.get(name)
    if (subject && personalData)
      return subject === 'user' ? user(personalData, value) : personal(personalData, subject, value)
    if (kind === undefined) return unknown(value)
    if (kind !== 'text' && kind !== 'texts') return number(value)
    // Ids of groups name nobody.
    const { items } = kind === 'texts' ? parseNodes(text, 1, value.start) : {}
    const isFlat = (items ?? [value]).every((item) => scalarOf(item) !== undefined)
    return isFlat ? undefined : unknown(value)
  }

  function user(data: PersonalData, value: Node): Verdict {
    const id = idOf(value)
    if (id === '') return undefined
    return id === null ? 'null' : JSON.stringify(pseudonym(data, 'user', id))
  }

  function personal(data: PersonalData, subject: Subject, value: Node): Verdict {
    if (data.mode === 'drop') return null
    const said = scalarOf(value)
    if (said === null || said === '') return undefined
    return JSON.stringify(pseudonym(data, subject, said ?? sliceOf(value)))
  }

  /** A field that should hold a number: anything else might be anything. */
  function number(value: Node): Verdict {
    return isPlain(value) || /^"\s*(-?\d+(\.\d+)?\s*)?"/.test(sliceOf(value)) ? undefined : unknown(value)
  }

  /** A field that this program does not know. */
  function unknown(value: Node): Verdict {
    if (personalData?.mode === 'drop') return null
    if (!personalData) return strings(value)
    if (isPlain(value)) return undefined
    const said = scalarOf(value) ?? sliceOf(value)
    return said === '' ? undefined : JSON.stringify(pseudonym(personalData, 'text', said))
  }

  function strings(value: Node): string | undefined {
    return (
      isErased &&
      rewriteStrings(text, value, (string) =>
        string.length >= LEAST_TELLING && isErased(canonicalId(string)) ? '""' : undefined,
      )
    )
  }

  /** A user id as the archive would have it, and read as it reads it; `null` for what is none. */
  function idOf(value: Node): string | null {
    const { value: id } = textOf(parseLossless(sliceOf(value)))
    return id === null ? null : canonicalId(id)
  }

  /** What a string says; a number or a truth as it is written; `undefined` of lists and objects. */
  function scalarOf({ start, end }: Node): string | null | undefined {
    const first = text[start]
    if (first === '{' || first === '[') return undefined
    if (first === '"') return stringOf(text, start, end)
    return first === 'n' ? null : text.slice(start, end)
  }

  /** A number, `true`, `false` or `null`. */
  function isPlain({ start }: Node): boolean {
    return !'"{['.includes(text.charAt(start))
  }

  return { page, strings }
}

// Stryker disable next-line StringLiteral: of those whose names are asked for all are entries.
const nameOf = (part: Entry | Node) => ('value' in part ? part.name : '')
const valueIn = (part: Entry | Node) => ('value' in part ? part.value : part)

const subjects = new Map<string, Subject>([
  ['UserId', 'user'],
  ['UserName', 'name'],
  ['IPAddress', 'ip'],
  ['Location', 'location'],
])
