import fc from 'fast-check'

/** JSON as anybody may write it, and not as `JSON.stringify` does: spaces, escapes, numbers of any form and length. */

const space = fc.constantFrom('', '', '', '', ' ', '\n', '\t\r ')

const character = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...'abcxyzAZ019 _-#:,[]{}') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '课',
      '🎓',
      '\u2028',
      '\u007f',
      '\\"',
      '\\\\',
      '\\/',
      '\\n',
      '\\t',
      '\\u0041',
      '\\u002C',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('\\u0000', '\\ud83d', '\\ude00', '\\ud83d\\ude00', '\ufffd') },
)

/** A string with its quotes. */
export const stringText = fc.array(character, { maxLength: 12 }).map((characters) => `"${characters.join('')}"`)

const digits = (most: number) =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength: most }).map((all) => all.join(''))
const sign = fc.constantFrom('', '', '', '-')
const whole = (most: number) =>
  fc.tuple(sign, digits(most)).map(([minus, text]) => minus + (text.replace(/^0+(?=\d)/, '') || '0'))
const exponent = fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), digits(3)).map((parts) => parts.join(''))

/** A number of any form that JSON allows. */
export const numberText = fc.oneof(
  { weight: 4, arbitrary: whole(4) },
  { weight: 2, arbitrary: whole(22) },
  { weight: 1, arbitrary: fc.tuple(whole(18), digits(18)).map((parts) => parts.join('.')) },
  { weight: 1, arbitrary: fc.tuple(whole(18), exponent).map((parts) => parts.join('')) },
  {
    weight: 1,
    arbitrary: fc.tuple(whole(3), digits(18), exponent).map(([one, two, three]) => `${one}.${two}${three}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('-0', '0', '1', '2147483647', '2147483648', '-2147483649', '9007199254740993', '1e400'),
  },
)

/** An object of these fields: entries of equal names, and in any order, as they are drawn. */
export function objectText(entries: fc.Arbitrary<readonly (readonly [nameText: string, valueText: string])[]>) {
  return fc.tuple(entries, space, space).map(([all, before, after]) => {
    const parts = all.map(([name, value]) => `${before}${name}${after}:${before}${value}${after}`)
    return `{${parts.join(',')}${before}}`
  })
}

export function listText(items: fc.Arbitrary<readonly string[]>) {
  return fc
    .tuple(items, space, space)
    .map(([all, before, after]) => `[${all.map((item) => before + item + after).join(',')}${before}]`)
}

/** Any value. */
export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.oneof(numberText, stringText, fc.constantFrom('null', 'true', 'false', '""', '[]', '{}')),
    listText(fc.array(tie('value'), { maxLength: 4 })),
    objectText(fc.array(fc.tuple(stringText, tie('value')), { maxLength: 4 })),
  ),
})).value

/** A name as it may be written: as it is, or with an escape. */
export function nameText(names: readonly string[]): fc.Arbitrary<string> {
  const escaped = (name: string) =>
    `"\\u${(name.charCodeAt(0) || 65).toString(16).padStart(4, '0')}${JSON.stringify(name.slice(1)).slice(1)}`
  return fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(false, false, false, true))
    .map(([name, isEscaped]) => (isEscaped && name !== '' ? escaped(name) : JSON.stringify(name)))
}
