import { readdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { staff, staffId, student } from '../../lib/simulator/people'

/** What was found where it must not be. */
export interface Leak {
  readonly what: string
  /** The line, shortened. */
  readonly line: string
}

export interface LogScan {
  /** Lines looked through. */
  readonly lines: number
  /** Texts looked for, besides what is recognised by its form. */
  readonly texts: number
  readonly leaks: readonly Leak[]
}

/**
 * Looks through all logs of a directory (`*.log`) for what was registered there (`*.in-play`, a JSON string a line), for
 * `secrets`, for every name that the simulator can draw, for any IP address but this machine's, for passwords in URLs, and
 * for records as LCIC sends them, whatever they hold.
 */
export async function scanLogs(directory: string, secrets: readonly string[] = []): Promise<LogScan> {
  const names = await readdir(directory)
  const contents = async (extension: string) => {
    const texts = names
      .filter((name) => name.endsWith(extension))
      .map((name) => readFile(join(directory, name), 'utf8'))
    return (await Promise.all(texts)).flatMap((text) => text.split('\n')).filter((line) => line !== '')
  }
  const registered = (await contents('.in-play')).map((line): string => JSON.parse(line))
  const texts = new Set([...secrets, ...registered, ...drawnNames()].filter(isDistinctive))
  const find = finderOf(texts)
  const lines = await contents('.log')
  const leaks = lines.flatMap((line): Leak[] => {
    const text = plain(line)
    const found = find(text) ?? addressIn(text) ?? passwordIn(text) ?? recordIn(text)
    return found === undefined ? [] : [{ what: found, line: line.slice(0, 600) }]
  })
  return { lines: lines.length, texts: texts.size, leaks }
}

/** As many of the school's roll as ever sit in one class, the largest ones aside: there, names repeat. */
const ROLL = 6000
const STAFF = 100

function* drawnNames(): Generator<string> {
  for (let number = 0; number < ROLL; number++) yield student(number).name
  for (const kind of ['teacher', 'assistant', 'supervisor'] as const) {
    for (let number = 0; number < STAFF; number++) yield staff(staffId(kind, number)).name
  }
}

/**
 * Whether a text in a log can only be there because it leaked. Logs of this program hold nothing but ASCII, of themselves;
 * a word such as `before`, which tests use as a name, too, says nothing.
 */
export function isDistinctive(text: string): boolean {
  if (/[^\p{ASCII}\u{FFFD}]/u.test(text)) return [...text].length >= 2
  return text.length >= 6 && /[^a-z]/.test(text.slice(1)) && !/^\d+$/.test(text)
}

/** Finds one of many texts, where it is not part of a longer word or number. */
function finderOf(texts: Iterable<string>): (text: string) => string | undefined {
  const byBeginning = new Map<string, string[]>()
  /** Of the first two characters: most places of a text are passed over at a glance. */
  const mayBegin = new Uint8Array(65_536)
  const glance = (text: string, at: number) => (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) & 0xffff
  const lengths = [8, 4, 2]
  for (const text of texts) {
    const length = lengths.find((least) => text.length >= least) ?? 2
    const beginning = text.slice(0, length)
    const others = byBeginning.get(beginning)
    if (others) others.push(text)
    else byBeginning.set(beginning, [text])
    mayBegin[glance(text, 0)] = 1
  }
  return (text) => {
    for (let at = 0; at < text.length - 1; at++) {
      if (mayBegin[glance(text, at)] === 0) continue
      for (const length of lengths) {
        const found = byBeginning
          .get(text.slice(at, at + length))
          ?.find((one) => text.startsWith(one, at) && isWhole(text, at, at + one.length))
        if (found !== undefined) return JSON.stringify(found)
      }
    }
    return undefined
  }
}

/** Not in the midst of a word; scripts without spaces between words have no such thing. */
function isWhole(text: string, from: number, to: number): boolean {
  const joined = (at: number) => /^[a-z0-9]{2}$/i.test(text.slice(at - 1, at + 1))
  return !joined(from) && !joined(to)
}

/** The texts of a line of JSON as they were before they were escaped; other lines as they are. */
function plain(line: string): string {
  try {
    return textsIn(JSON.parse(line)).join('\n')
  } catch {
    return line
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return Object.entries(value).flatMap(([name, item]) => {
    const [first = '', ...rest] = textsIn(item)
    return [`"${name}":${first}`, ...rest]
  })
}

function addressIn(text: string): string | undefined {
  for (const [word] of text.matchAll(
    /(?<![\w.:])[\da-f]*:[\da-f:.]*:[\da-f:.]*(?![\w:])|(?<![\d.])\d{1,3}(\.\d{1,3}){3}(?!\.?\d)/gi,
  )) {
    const address = isIP(word) ? word : word.replace(/[:.]$/, '')
    const isOwn = /^(127\.|0\.0\.0\.0$|::$|::1(:\d{1,5})?$|::ffff:127\.)/.test(address)
    if (isIP(address) && !isOwn) return `the address ${address}`
  }
  return undefined
}

function passwordIn(text: string): string | undefined {
  const [url, password] = /:\/\/[^\s/:@"']*:([^\s/"'@]+)@/.exec(text) ?? []
  return url === undefined || ['(password)', 'password'].includes(password ?? '') ? undefined : `the password in ${url}`
}

/** By the names of its fields: of a short name nothing else can be told. */
function recordIn(text: string): string | undefined {
  const pattern =
    /\b(UserName|IPAddress|user_name|ip_address|MemberRecords|SecretKey|secretKey)\\*"\s*:\s*(?!\(redacted\)|null)/
  const [, name] = pattern.exec(text) ?? []
  return name && `a value of ${name}`
}
