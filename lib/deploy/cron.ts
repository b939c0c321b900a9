interface CronField {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly words?: readonly string[]
}

/** SCF's cron expressions have seven fields. Source: SCF, timer trigger. */
const fields: readonly CronField[] = [
  { name: 'second', least: 0, most: 59 },
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  {
    name: 'month',
    least: 1,
    most: 12,
    words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  { name: 'day of the week', least: 0, most: 6, words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
  { name: 'year', least: 1970, most: 2099 },
]

/** What is wrong with a 7-field cron expression (second minute hour day month weekday year), or undefined. */
export function cronProblem(expression: string): string | undefined {
  const texts = expression.trim().split(/\s+/)
  if (texts.length !== fields.length) {
    return `must have 7 fields (second minute hour day month weekday year), but has ${texts.length}`
  }
  for (const [index, field] of fields.entries()) {
    const wrong = (texts[index] ?? '').split(',').find((item) => !isValid(item, field))
    if (wrong === undefined) continue
    const { name, least, most, words } = field
    const orWords = words ? ` or ${words[0]} to ${words.at(-1)}` : ''
    return `has \`${wrong}\` in field ${index + 1}, the ${name}: allowed are ${least} to ${most}${orWords}, and * , - / between them`
  }
  return undefined
}

function isValid(item: string, field: CronField): boolean {
  const [span = '', step, ...rest] = item.split('/')
  if (rest.length > 0) return false
  if (step !== undefined && !isStep(step, field)) return false
  if (span === '*') return true
  const [from, to, ...more] = span.split('-').map((text) => numberOf(text, field))
  if (from === undefined || more.length > 0) return false
  return span.includes('-') ? to !== undefined && from <= to : true
}

function isStep(text: string, { least, most }: CronField): boolean {
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= most - least + 1
}

function numberOf(text: string, { least, most, words }: CronField): number | undefined {
  const word = words?.indexOf(text.toUpperCase()) ?? -1
  if (word >= 0) return least + word
  if (!/^\d{1,4}$/.test(text)) return undefined
  const number = Number(text)
  return number >= least && number <= most ? number : undefined
}
