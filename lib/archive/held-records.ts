import { encodeMembers, type MemberColumns, packed } from '../db/member-columns'

type Records = Parameters<typeof encodeMembers>[0]

/** What the rooms of this process may hold together, besides what Node takes: a million records and more. */
const MOST_BYTES = 32 * 1024 * 1024
let bytesOfAll = 0

/** Further pages of a room are packed. */
const UNPACKED_PAGES = 4

/** The records of a new room, in memory until it is archived: of one that is too large, none. */
export class HeldRecords {
  readonly #mostBytes: number
  readonly #pages: MemberColumns[] = []
  #bytes = 0
  #erasuresSeen: bigint | undefined
  #isOver = false

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes
  }

  /**
   * @param records of a page
   * @param erasuresSeen number of the newest erasure that the page was redacted by
   */
  add(records: Records, erasuresSeen: bigint): void {
    if (this.#isOver) return
    if (this.#erasuresSeen === undefined || erasuresSeen < this.#erasuresSeen) this.#erasuresSeen = erasuresSeen
    const encoded = encodeMembers(records)
    const page = this.#pages.length < UNPACKED_PAGES ? encoded : packed(encoded)
    this.#pages.push(page)
    this.#bytes += page.bytes.length
    bytesOfAll += page.bytes.length
    if (bytesOfAll > this.#mostBytes) this.release()
  }

  /** @returns nothing, unless as many pages are held as the room has */
  all(pages: number): { readonly members: readonly MemberColumns[]; readonly erasuresSeen: bigint } | undefined {
    if (this.#isOver || this.#erasuresSeen === undefined || this.#pages.length < pages) return undefined
    return { members: this.#pages, erasuresSeen: this.#erasuresSeen }
  }

  /** Holds nothing any more, and takes nothing more. */
  release(): void {
    this.#isOver = true
    bytesOfAll -= this.#bytes
    this.#bytes = 0
    this.#pages.length = 0
  }
}
