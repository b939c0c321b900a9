import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server through which everything of one kind has to go, and that can be disturbed. */
export interface Way extends AsyncDisposable {
  readonly port: number
  /**
   * From now on nothing is passed on of some that are connected, and nobody is told.
   *
   * @param share of the connections, from 0 to 1
   * @returns how many
   */
  fallSilent(share: number): number
  /** Breaks what is connected. @returns how many connections */
  reset(): number
  /** Holds up each piece of data by so much; 0: no more. */
  slowDown(delayMs: number): void
}

/** @param target is asked for each connection: a server that was restarted may have another port */
export async function openWay(target: () => number): Promise<Way> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const silent = new Set<Socket>()
  let delayMs = 0

  function pass(from: Socket, to: Socket): void {
    from.on('data', (data) => {
      if (silent.has(from)) return
      if (delayMs === 0) {
        if (!to.write(data)) pauseUntilDrained(from, to)
        return
      }
      from.pause()
      setTimeout(() => {
        if (silent.has(from)) return
        to.write(data)
        from.resume()
      }, delayMs)
    })
  }

  const server = createServer((near) => {
    const far = connect(target(), '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    near.setNoDelay()
    far.setNoDelay()
    for (const [socket, other] of [pair, [far, near] as const]) {
      pass(socket, other)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        pairs.delete(pair)
        // What was passed on already still arrives.
        if (!silent.has(socket)) other.destroySoon()
      })
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    port,
    fallSilent(share) {
      const chosen = [...pairs].filter((_, index) => index % 10 < share * 10)
      for (const pair of chosen) {
        pairs.delete(pair)
        for (const socket of pair) silent.add(socket.pause())
      }
      return chosen.length
    },
    reset() {
      const { size } = pairs
      for (const [near, far] of pairs) {
        near.resetAndDestroy()
        far.destroy()
      }
      return size
    },
    slowDown(ms) {
      delayMs = ms
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const sockets of pairs) for (const socket of sockets) socket.destroy()
      for (const socket of silent) socket.destroy()
      await closed
    },
  }
}

function pauseUntilDrained(from: Socket, to: Socket): void {
  from.pause()
  to.once('drain', () => from.resume())
}
