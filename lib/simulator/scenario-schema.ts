import * as z from 'zod'
import { faultKinds } from './faults'

const rate = z.number().int().min(0)
const rates = z.strictObject({ DescribeRoomStatistics: rate, GetRooms: rate, DescribeRoom: rate }).partial()
const latency = z.number().min(0).max(60_000)
const orderedLatency = z
  .strictObject({ min: latency, max: latency })
  .refine(({ min, max }) => min <= max, { error: 'Write the smaller number as min' })
const roomIdRule = 'Write a whole number from 1, as a string of digits where it is above 2^53'
const roomId = z.union([
  z.number({ error: roomIdRule }).int({ error: roomIdRule }).min(1, { error: roomIdRule }),
  z.string().regex(/^[1-9]\d{0,18}$/, { error: roomIdRule }),
])

/** One room that a scenario describes. */
export const roomSchema = z.strictObject({
  /** A string where the id is above 2^53. */
  roomId: roomId.optional(),
  name: z.string().optional(),
  /** How many records. */
  members: z.number().int().min(0).max(200_000).default(20),
  roomType: z.number().int().min(0).optional(),
  /** The scheduled length. */
  minutes: z
    .number()
    .int()
    .min(1)
    .max(72 * 60)
    .default(45),
  /** When it was scheduled to end; negative for a time to come. */
  endedMinutesAgo: z.number().default(60),
  /** How much later than scheduled it really ends. */
  overrunMinutes: z.number().min(0).default(0),
  fate: z.enum(['held', 'missing', 'expired']).default('held'),
  notReadyAnswers: z.number().int().min(0).default(0),
  /** From the real end until the statistics are ready. */
  readyAfterSeconds: z.number().min(0).optional(),
  /** Whether GetRooms knows the room. */
  listed: z.boolean().default(true),
})

/** A whole scenario file; unknown keys are refused. */
export const scenarioSchema = z.strictObject({
  seed: z.number().int().default(1),
  sdkAppId: z.number().int().min(1).optional(),
  /** How many rooms to draw besides those described. */
  ordinaryRooms: z.number().int().min(0).max(1_000_000).default(0),
  /** Over how many hours the drawn rooms are spread; all of them have ended by now. */
  hours: z
    .number()
    .min(4)
    .max(24 * 365)
    .default(24),
  /** The drawn rooms' numbers of records, dealt out in turn. */
  sizes: z.array(z.number().int().min(0).max(200_000)).min(1).optional(),
  readyAfterSeconds: z.number().min(0).default(0),
  requestsPerSecond: z
    .union([rate, rates], {
      error: 'Write a whole number, or one for each action, such as {"GetRooms": 20}; 0 means no limit',
    })
    .optional(),
  latencyMs: z
    .union([latency, orderedLatency], {
      error: 'Write milliseconds up to 60000, or a range such as {"min": 5, "max": 20}',
    })
    .optional(),
  faults: z.strictObject({ rate: z.number().min(0).max(1), kinds: z.array(z.enum(faultKinds)).min(1) }).optional(),
  rooms: z.array(roomSchema).default([]),
})
