import type { Migration } from 'kysely'
import * as archive from './0001-archive'
import * as nothingMissed from './0002-nothing-missed'
import * as waitingJobs from './0003-waiting-jobs'
import * as functions from './0004-functions'
import * as privacy from './0005-privacy'
import * as analytics from './0006-analytics'
import * as updatesInPlace from './0007-updates-in-place'
import * as membersOfARoom from './0008-members-of-a-room'

/** Every migration, in order. A static list, so that it bundles; names are never changed once released. */
export const migrations: Record<string, Migration> = {
  '0001-archive': archive,
  '0002-nothing-missed': nothingMissed,
  '0003-waiting-jobs': waitingJobs,
  '0004-functions': functions,
  '0005-privacy': privacy,
  '0006-analytics': analytics,
  '0007-updates-in-place': updatesInPlace,
  '0008-members-of-a-room': membersOfARoom,
}
