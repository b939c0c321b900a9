import type { CallbackConfig } from '../config'
import type { Finding } from './check'

/** Of letters and digits: fewer can be found out from one signed callback, which is an MD5, on one graphics card in days. */
const LEAST_KEY = 16
const LEAST_CHARACTERS = 6

const SET_KEY = "Set LCIC_CALLBACK_KEY to the key of the app's callback (ModifyApp, CallbackKey)"

/** Whether callbacks that are forged would be believed. What they bring about is requests to LCIC, never wrong data. */
export function judgeCallbacks({ key, acceptUnsigned }: CallbackConfig): Finding {
  if (acceptUnsigned)
    return {
      status: 'warn',
      text: `unsigned ones are accepted${key ? ' beside signed ones' : ''}: whoever finds the address can have rooms asked for, which uses up the budget`,
      mend: key ? 'Unset LCIC_CALLBACK_UNSIGNED.' : `${SET_KEY}, and unset LCIC_CALLBACK_UNSIGNED.`,
    }
  if (!key)
    return {
      status: 'warn',
      text: 'no key: all callbacks are refused, and rooms are found by sweeps alone',
      mend: `${SET_KEY}.`,
    }
  if (key.length < LEAST_KEY || new Set(key).size < LEAST_CHARACTERS)
    return {
      status: 'warn',
      text: 'the key is so short or uniform that it can be guessed',
      mend: `Take a random one of ${LEAST_KEY} characters or more, such as openssl rand -hex 16 makes, for the app's callback and LCIC_CALLBACK_KEY.`,
    }
  return { status: 'pass', text: 'signed ones only, with a key that cannot be guessed' }
}
