import * as z from 'zod'
import { INT8_MAX } from './values'

/** An id of a room or an app, as a number or its digits: those beyond 2^53 are whole only as digits. */
export const idSchema = z
  .union([z.int(), z.string().regex(/^\d{1,19}$/)])
  .transform(BigInt)
  .pipe(z.bigint().min(1n).max(INT8_MAX))
