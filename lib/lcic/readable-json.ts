/**
 * Whether PostgreSQL can look into a JSON text that JavaScript reads: false also where that is merely not sure. It refuses
 * NUL and halves of characters, written as escapes, wherever they are, in parts that nobody asks for too; and numbers
 * that are nothing to JavaScript, and too close to nothing for a double: 1e-400, or one with as many zeros.
 */
export function isReadableJson(json: Buffer): boolean {
  return !json.includes('\\u0000') && !mayHoldHalves(json) && !mayHoldVanishingNumber(json)
}

function mayHoldHalves(json: Buffer): boolean {
  // Stryker disable next-line all: the regular expression alone says the same, and takes longer.
  return (json.includes('\\ud') || json.includes('\\uD')) && half.test(json.toString('latin1'))
}

const half = /\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]/i

/** What has less than a hundred zeros in a row, and an exponent of two digits, is far from nothing. */
function mayHoldVanishingNumber(json: Buffer): boolean {
  if (json.includes(HUNDRED_ZEROS)) return true
  for (const mark of ['e-', 'E-']) {
    for (let at = json.indexOf(mark); at !== -1; at = json.indexOf(mark, at + 1)) {
      if (hasThreeDigits(json, at + mark.length) && isInNumber(json, at)) return true
    }
  }
  return false
}

const HUNDRED_ZEROS = '0'.repeat(100)

function hasThreeDigits(json: Buffer, at: number): boolean {
  return [0, 1, 2].every((digit) => isDigit(json[at + digit]))
}

/** Ids may be full of such marks. What stands before a number is no letter. */
function isInNumber(json: Buffer, mark: number): boolean {
  let start = mark - 1
  while (isDigit(json[start]) || json[start] === POINT || json[start] === MINUS) start--
  return BEFORE_VALUES.has(json[start])
}

const [POINT, MINUS, ZERO, NINE] = [0x2e, 0x2d, 0x30, 0x39]
const BEFORE_VALUES = new Set<number | undefined>(Buffer.from(':[, \t\r\n'))

function isDigit(byte = 0): boolean {
  return byte >= ZERO && byte <= NINE
}
