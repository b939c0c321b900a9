import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogLevel } from './config'
import { describeError } from './errors'

/** JSON, one line an event, on stderr. Ids are strings; of errors only what {@link describeError} lets through. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino({ level, serializers: { roomId: String, err: describeError } }, destination)
}
