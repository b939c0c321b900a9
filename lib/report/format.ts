import type { Language } from '../config'

/**
 * Numbers and times as a language writes them. Times are wall-clock times of the school: milliseconds since 1970 as a clock
 * on its wall would count them, so that no time zone is needed any more.
 */
export interface Format {
  readonly locale: string
  /** `1,234` */
  number(value: number): string
  /** `3.5` */
  decimal(value: number): string
  /** `93%`, of a share of one; what is not quite all is never shown as all, and not quite nothing never as nothing. */
  percent(share: number): string
  /** `08:05` */
  time(wallMs: number): string
  /** `08:05:30` */
  preciseTime(wallMs: number): string
  /** `Monday, 2 March 2026` */
  longDate(wallMs: number): string
  /** `2 Mar 2026` */
  date(wallMs: number): string
  /** `2 Mar` */
  day(wallMs: number): string
  /** `Mar 2026` */
  month(wallMs: number): string
  /** `1 h 30 min` */
  duration(seconds: number): string
}

const units = {
  en: { hour: ' h', minute: ' min', second: ' s', locale: 'en-GB' },
  zh: { hour: ' 小时', minute: ' 分钟', second: ' 秒', locale: 'zh-CN' },
}

export function formatOf(language: Language): Format {
  const { hour, minute, second, locale } = units[language]
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const oneDecimal = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const dates = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options })
    return (wallMs: number) => format.format(wallMs)
  }
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  return {
    locale,
    number: (value) => whole.format(value),
    decimal: (value) => oneDecimal.format(value),
    percent(share) {
      const rounded = Math.round(share * 100)
      if (rounded === 100 && share < 1) return '99%'
      return rounded === 0 && share > 0 ? '<1%' : `${whole.format(rounded)}%`
    },
    time: dates(clock),
    preciseTime: dates({ ...clock, second: '2-digit' }),
    longDate: dates({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }),
    date: dates({ day: 'numeric', month: 'short', year: 'numeric' }),
    day: dates({ day: 'numeric', month: 'short' }),
    month: dates({ month: 'short', year: 'numeric' }),
    duration(seconds) {
      if (seconds < 60) return `${Math.round(seconds)}${second}`
      const minutes = Math.round(seconds / 60)
      const [hours, rest] = [Math.floor(minutes / 60), minutes % 60]
      if (hours === 0) return `${rest}${minute}`
      return rest === 0 ? `${whole.format(hours)}${hour}` : `${whole.format(hours)}${hour} ${rest}${minute}`
    },
  }
}
