/** How much of what a round holds; the seed decides where and when. */
export interface RoundShape {
  /** How long things go wrong; then the workers get time to finish. */
  readonly faultsMs: number
  /** How long they may take for that. */
  readonly settleMs: number
  readonly workers: number
  readonly rooms: {
    /** Members of the rooms that are there at the start; dealt out in an order that is drawn. */
    readonly sizes: readonly number[]
    /** Rooms that end while things go wrong. */
    readonly ending: number
    readonly expired: number
    readonly missing: number
    /** Rooms whose members change once they may have been archived. */
    readonly changed: number
  }
  /** Share of the API's answers that go wrong. */
  readonly apiFaultRate: number
  /** Whether answers that never come are among them: each costs a worker 30 s. */
  readonly hangs: boolean
  readonly events: Readonly<Record<Disturbance, number>>
  /** Workers that live by a wrong clock for a while. */
  readonly clocks: number
}

/** What is done to the processes and the ways between them. */
export type Disturbance =
  | 'kill'
  | 'stop'
  | 'restart-fast'
  | 'restart-immediate'
  | 'kill-backend'
  | 'kill-postmaster'
  | 'terminate-backends'
  | 'read-only'
  | 'disk-full'
  | 'row-locked'
  | 'budget-locked'
  | 'api-silent'
  | 'api-slow'
  | 'api-reset'
  | 'database-silent'
  | 'database-slow'
  | 'database-reset'
  | 'forged-callback'
  | 'repeated-callback'

/** What `npm run torture` does for each seed. */
export const wholeRound: RoundShape = {
  faultsMs: 50_000,
  settleMs: 120_000,
  workers: 3,
  rooms: {
    sizes: [
      ...Array<number>(10).fill(0),
      ...Array<number>(12).fill(1),
      ...Array<number>(220).fill(30),
      ...[999, 1000, 1000, 1000, 1001, 1800, 2000, 2500, 2500, 2500, 3200],
    ],
    ending: 40,
    expired: 5,
    missing: 5,
    changed: 6,
  },
  apiFaultRate: 0.2,
  hangs: true,
  events: {
    kill: 6,
    stop: 3,
    'restart-fast': 1,
    'restart-immediate': 1,
    'kill-backend': 1,
    'kill-postmaster': 1,
    'terminate-backends': 2,
    'read-only': 1,
    'disk-full': 3,
    'row-locked': 3,
    'budget-locked': 1,
    'api-silent': 1,
    'api-slow': 2,
    'api-reset': 3,
    'database-silent': 2,
    'database-slow': 2,
    'database-reset': 3,
    'forged-callback': 30,
    'repeated-callback': 30,
  },
  clocks: 2,
}

/** The same in a few seconds, without what takes a minute to be noticed: a connection that goes silent. */
export const shortRound: RoundShape = {
  faultsMs: 6_000,
  settleMs: 40_000,
  workers: 2,
  rooms: { sizes: [0, 1, 1000, 2500, ...Array<number>(16).fill(30)], ending: 3, expired: 1, missing: 1, changed: 1 },
  apiFaultRate: 0.2,
  hangs: false,
  events: {
    kill: 2,
    stop: 1,
    'restart-fast': 0,
    'restart-immediate': 1,
    'kill-backend': 0,
    'kill-postmaster': 0,
    'terminate-backends': 1,
    'read-only': 0,
    'disk-full': 1,
    'row-locked': 1,
    'budget-locked': 1,
    'api-silent': 0,
    'api-slow': 1,
    'api-reset': 1,
    'database-silent': 0,
    'database-slow': 1,
    'database-reset': 1,
    'forged-callback': 6,
    'repeated-callback': 4,
  },
  clocks: 1,
}
