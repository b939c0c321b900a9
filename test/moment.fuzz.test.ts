import fc from 'fast-check'
import { expect } from 'vitest'
import { momentOf } from '../lib/moment'
import { always } from './support/fuzz'

const two = (number: number) => String(number).padStart(2, '0')
const MINUTE = 60_000
const instant = fc.integer({ min: Date.UTC(2000, 0, 3), max: Date.UTC(2099, 11, 30) })
const fractionText = fc.array(fc.nat(9), { minLength: 1, maxLength: 9 }).map((digits) => digits.join(''))

always(
  'a moment is the one that is written, with or without a zone, seconds or a fraction; without a zone it is UTC',
  [
    instant,
    fc.integer({ min: -14 * 60, max: 14 * 60 }),
    fc.constantFrom('none', 'Z', 'colon', 'plain'),
    fc.constantFrom('T', ' '),
    fc.constantFrom('minutes', 'seconds', 'fraction'),
    fractionText,
  ],
  (at, offset, zoneForm, separator, precision, fraction) => {
    const isShifted = zoneForm === 'colon' || zoneForm === 'plain'
    const local = new Date(at + (isShifted ? offset * MINUTE : 0))
    const [day, time] = [local.toISOString().slice(0, 10), local.toISOString().slice(11, 19)]
    const [hours, minutes] = [two(Math.floor(Math.abs(offset) / 60)), two(Math.abs(offset) % 60)]
    const zone = isShifted
      ? `${offset < 0 ? '-' : '+'}${hours}${zoneForm === 'colon' ? ':' : ''}${minutes}`
      : zoneForm === 'Z'
        ? 'Z'
        : ''
    const shown = precision === 'minutes' ? time.slice(0, 5) : precision === 'seconds' ? time : `${time}.${fraction}`
    const unit = precision === 'minutes' ? MINUTE : 1000
    const wholeMs = Math.floor(at / unit) * unit
    const wanted = wholeMs + (precision === 'fraction' ? Math.floor(Number(`0.${fraction}`) * 1000 + 1e-6) : 0)
    expect(momentOf(`${day}${separator}${shown}${zone}`)?.getTime()).toBe(wanted)
    expect(momentOf(day)?.toISOString()).toBe(`${day}T00:00:00.000Z`)
  },
  { cases: 1000 },
)

always(
  'a day, a time or a zone that does not exist is no moment',
  [
    instant,
    fc.constantFrom('day', 'month', 'hour', 'minute', 'second', 'zone hour', 'zone minute'),
    fc.integer({ min: 60, max: 99 }),
    fc.constantFrom('T', ' '),
    fc.constantFrom('', ':'),
  ],
  (at, wrong, number, separator, colon) => {
    const date = new Date(at)
    const put = (part: string, right: number) => (wrong === part ? String(number) : two(right))
    const day = `${date.getUTCFullYear()}-${put('month', date.getUTCMonth() + 1)}-${put('day', date.getUTCDate())}`
    const time = `${put('hour', date.getUTCHours())}:${put('minute', date.getUTCMinutes())}:${put('second', 7)}`
    expect(
      momentOf(`${day}${separator}${time}+${put('zone hour', 8)}${colon}${put('zone minute', 30)}`),
    ).toBeUndefined()
  },
)

always(
  'the 29th, 30th and 31st are moments only in months that have them',
  [fc.integer({ min: 2000, max: 2099 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 28, max: 32 })],
  (year, month, day) => {
    const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
    for (const time of ['', ' 10:00', 'T10:00+08:00', 'T00:30:00+1400']) {
      expect(momentOf(`${year}-${two(month)}-${two(day)}${time}`) !== undefined).toBe(day <= last)
    }
  },
)

always(
  'any text is a moment between 2000 and 9999, or none; how long ago is counted from now',
  [
    fc.oneof(
      fc.string(),
      fc.date().map(String),
      fc.tuple(fc.nat(20_000_000), fc.constantFrom('s', 'm', 'h', 'd')).map((parts) => parts.join('')),
    ),
    fc.nat(500),
  ],
  (text, hours) => {
    const at = momentOf(text)
    if (at !== undefined) expect(at >= new Date('2000-01-01') && at.getUTCFullYear() < 10_000).toBe(true)
    const before = Date.now()
    const ago = momentOf(`${hours}h`)?.getTime() ?? Number.NaN
    expect(ago + hours * 60 * MINUTE).toBeGreaterThanOrEqual(before)
    expect(ago + hours * 60 * MINUTE).toBeLessThanOrEqual(Date.now())
  },
)
