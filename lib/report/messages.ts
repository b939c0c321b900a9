import type { Language } from '../config'
import { english } from './messages-en'
import { chinese } from './messages-zh'

/** All that a report says, in one language; numbers come formatted. */
export type Messages = typeof english

const messages: Readonly<Record<Language, Messages>> = { en: english, zh: chinese }

export function messagesIn(language: Language): Messages {
  return messages[language]
}
