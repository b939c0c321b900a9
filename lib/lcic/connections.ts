import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'

/**
 * Connections to LCIC, kept for later requests. There is always one to spare: a request that had to wait for a new one,
 * over TLS three ways there and back, would arrive late.
 */
export interface Connections {
  /** For requests. */
  readonly agent: HttpAgent
  /** For requests that are not meant to be sent: one fails when all is done but sending it, and a spare connection is open. */
  readonly rehearsal: HttpAgent
  /** Closes those that are idle. */
  close(): void
}

export function createConnections(protocol: string): Connections {
  const Agent = protocol === 'http:' ? HttpAgent : HttpsAgent
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const rehearsal = new Agent()
  // The types say less of it than the documentation does.
  const connect = agent.createConnection.bind(agent) as (options: object) => Socket
  let spare: Socket | undefined

  function openSpare(options: object): void {
    if (spare) return
    const socket = connect(options)
    const forget = () => {
      if (spare === socket) spare = undefined
    }
    socket.once('close', forget)
    // Who needs a connection learns from its own that there is none to be had.
    socket.on('error', forget)
    socket.unref()
    spare = socket
  }

  agent.createConnection = (options) => {
    const ready = spare?.ref()
    spare = undefined
    setImmediate(openSpare, options)
    return ready ?? connect(options)
  }
  rehearsal.createConnection = (options, done) => {
    openSpare(options)
    // With an error there is no socket, whatever the types say.
    const fail = done as ((error: Error) => void) | undefined
    fail?.(new Error('This was a rehearsal.'))
    return undefined
  }

  return {
    agent,
    rehearsal,
    close() {
      agent.destroy()
      spare?.destroy()
    },
  }
}
