import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a database that lets through so many bytes of what it sends, and then nothing more. */
export interface NarrowProxy extends AsyncDisposable {
  readonly url: string
  /** So much came through that nothing more does. */
  readonly isStuck: Promise<void>
  /** Breaks the connections. */
  cut(): void
}

export async function openNarrowProxy(databaseUrl: string, bytes: number): Promise<NarrowProxy> {
  const url = new URL(databaseUrl)
  const { hostname, port } = url
  const sockets = new Set<Socket>()
  let stick: () => void
  const isStuck = new Promise<void>((resolve) => {
    stick = resolve
  })
  let left = bytes
  const server = createServer((client) => {
    const database = connect({ host: hostname, port: Number(port) })
    for (const [socket, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => other.destroy())
    }
    client.pipe(database)
    database.on('data', (data) => {
      const passed = data.subarray(0, Math.max(left, 0))
      left -= data.length
      if (passed.length > 0) client.write(passed)
      if (left > 0) return
      database.pause()
      stick()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.toString(),
    isStuck,
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
