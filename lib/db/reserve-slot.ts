import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/**
 * Reserves the next slot of a budget: GCRA on one row, one statement. Slots are handed out in order, `spacingMs` apart,
 * by the server's clock, whoever asks. A budget without a row starts now; or, where a crash of the server took all rows,
 * once the slots are used up that were reserved before.
 *
 * @returns the slot, and the server's time now, in milliseconds since the epoch; `undefined`, with nothing reserved (but
 *   the first slot after a crash), if the slot is more than `mostMs` away.
 */
export async function reserveSlot(
  db: Kysely<Database>,
  { budget, spacingMs, mostMs }: { budget: string; spacingMs: number; mostMs: number },
): Promise<{ slotAt: number; now: number } | undefined> {
  const spacing = sql`make_interval(secs => ${spacingMs / 1000}::float8)`
  const nextSlot = sql`
    case when b.next_slot_at > clock_timestamp() + ${NONSENSE} + ${MOST_AHEAD}::int * ${spacing} then clock_timestamp()
      else greatest(b.next_slot_at, clock_timestamp()) end`
  const { rows } = await sql<{ slotAt: number; now: number }>`
    insert into archive.budgets as b (budget, next_slot_at, minute, in_minute)
    select ${budget}, at + ${spacing}, date_trunc('minute', at), 1
    from (
      select clock_timestamp() + case when ${HAVE_BEEN_LOST} then ${USED_UP} else interval '0' end
    ) as first (at)
    on conflict (budget) do update
      set (next_slot_at, minute, in_minute, in_minute_before) = (
          select slot.at + ${spacing}, slot.minute,
            case when slot.minute = b.minute then b.in_minute + 1 else 1 end,
            case when slot.minute = b.minute then b.in_minute_before
              when slot.minute = b.minute + interval '1 minute' then b.in_minute else 0 end
          from (select at, date_trunc('minute', at) from (select ${nextSlot}) as next (at)) as slot (at, minute))
      where ${nextSlot} <= clock_timestamp() + make_interval(secs => ${Math.min(mostMs, YEAR_MS) / 1000}::float8)
    returning extract(epoch from next_slot_at - ${spacing})::float8 * 1000 as "slotAt",
      extract(epoch from clock_timestamp())::float8 * 1000 as now`.execute(db)
  const [slot] = rows
  return slot && slot.slotAt - slot.now <= mostMs ? slot : undefined
}

/** Lets nobody have a slot of this budget for `pauseMs`: the source said that it was asked too often. */
export async function pushBackBudget(
  db: Kysely<Database>,
  { budget, pauseMs }: { budget: string; pauseMs: number },
): Promise<void> {
  await sql`
    update archive.budgets
    set next_slot_at = greatest(next_slot_at, clock_timestamp() + make_interval(secs => ${pauseMs / 1000}::float8))
    where budget = ${budget}`.execute(db)
}

/**
 * Nobody has reserved so many slots ahead, and no refusal has pushed them back for so long: the server's clock was ahead,
 * and has been set back.
 */
const MOST_AHEAD = 1000
const NONSENSE = sql`interval '5 minutes'`

/** Whoever has asked LCIC before has had a slot. */
const HAVE_BEEN_LOST = sql`(
  not exists (select from archive.budgets) and exists (select from archive.runs where finished_at is not null))`

/** Slots that 24 workers have reserved ahead at 20 a second are over by then, and LCIC has forgotten the last of them. */
const USED_UP = sql`interval '5 seconds'`

const YEAR_MS = 365 * 24 * 3600 * 1000
