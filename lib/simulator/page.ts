import type { Fault } from './faults'

/** One page of a list, as the API answers it. */
export interface PageOf<T> {
  items: readonly T[]
  total: number
  /** Whether a fault changed the page. */
  faulted: boolean
}

/**
 * The page with this number (from 1) of `all`. The faults `shift`, `total` and `duplicate` spoil it where they can: an
 * empty page has nothing to shift, a page of one record no place for a double.
 */
export function pageOf<T>(all: readonly T[], page: number, limit: number, fault?: Fault): PageOf<T> {
  const start = (page - 1) * limit
  const items = all.slice(start, start + limit)
  const right = { items, total: all.length, faulted: false }
  const [first] = items
  if (fault?.kind === 'total') return { ...right, total: Math.max(0, all.length + (fault.by ?? 1)), faulted: true }
  if (fault?.kind === 'shift' && items.length > 0) {
    const by = start === 0 ? 1 : -1
    return { ...right, items: all.slice(start + by, start + by + items.length), faulted: true }
  }
  if (fault?.kind === 'duplicate' && first !== undefined && items.length > 1) {
    return { ...right, items: [...items.slice(0, -1), first], faulted: true }
  }
  return right
}
