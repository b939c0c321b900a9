import { createHmac } from 'node:crypto'
import type { PersonalData } from '../config'
import { canonicalId } from './member-record'

/** What a value tells of its member; `text`: nobody knows. */
export type Subject = 'user' | 'name' | 'ip' | 'location' | 'text'

/**
 * The token that stands for a value: equal values have equal tokens, and a name has another one than an id that is equal
 * to it. HMAC-SHA256, of which 128 bits are told.
 */
export function pseudonym({ pseudonymKey }: PersonalData, subject: Subject, value: string): string {
  const digest = createHmac('sha256', pseudonymKey).update(`${subject}\0${value}`).digest('hex')
  return `${subject}-${digest.slice(0, 32)}`
}

/** A user id as the archive has it, wherever it comes from. Empty stays empty. */
export function storedUserId(userId: string, personalData: PersonalData | undefined): string {
  const id = canonicalId(userId)
  return personalData && id !== '' ? pseudonym(personalData, 'user', id) : id
}
