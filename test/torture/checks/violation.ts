/** A promise that was not kept. */
export interface Violation {
  readonly check: CheckName
  /** What was seen; names no member. */
  readonly what: string
  readonly roomId?: bigint
}

export type CheckName =
  | 'half room'
  | 'over the limit'
  | 'lost'
  | 'differs from the source'
  | 'doubled'
  | 'error not visible'
  | 'worker ended'
  | 'memory'
  | 'forged callback'
  | 'callback lost'
  | 'log'
