import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'

/** Connections to LCIC, kept for later requests. */
export interface Connections {
  /**
   * For requests. Where one needs a new connection, another is opened to spare: a request that had to wait for it, over
   * TLS three ways there and back, would arrive late.
   */
  readonly agent: HttpAgent
  /** For requests that are not meant to be sent: one fails when all is done but sending it, and a spare connection is open. */
  readonly rehearsal: HttpAgent
  /** Closes those that are idle. */
  close(): void
}

/** Who listens there, or what is in between, gives up connections on which nothing is asked. */
const SPARE_MS = 10_000

export function createConnections(protocol: string): Connections {
  const Agent = protocol === 'http:' ? HttpAgent : HttpsAgent
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const rehearsal = new Agent()
  // The types say less of it than the documentation does.
  const connect = agent.createConnection.bind(agent) as (options: object) => Socket
  let spare: { readonly socket: Socket; readonly timer: NodeJS.Timeout } | undefined
  let isClosed = false

  function openSpare(options: object): void {
    if (spare || isClosed) return
    const socket = connect(options).unref()
    const timer = setTimeout(() => socket.destroy(), SPARE_MS).unref()
    spare = { socket, timer }
    const forget = () => {
      if (spare?.socket === socket) takeSpare()
    }
    socket.once('close', forget)
    // Who needs a connection learns from its own that there is none to be had.
    socket.on('error', forget)
  }

  function takeSpare(): Socket | undefined {
    const taken = spare
    spare = undefined
    clearTimeout(taken?.timer)
    return taken?.socket
  }

  agent.createConnection = (options) => {
    const ready = takeSpare()?.ref()
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
      isClosed = true
      agent.destroy()
      takeSpare()?.destroy()
    },
  }
}
