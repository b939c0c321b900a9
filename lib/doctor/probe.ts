import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { TLSSocket } from 'node:tls'
import { SourceError } from '../lcic/errors'

/** How an HTTP server answers, whatever it says. */
export interface Probe {
  /** The time of its `Date` header, in whole seconds; absent where it sends none. */
  readonly date?: Date
  /** Absent for plain HTTP. */
  readonly tls?: { readonly protocol: string | null; readonly isVerified: boolean }
}

/** Asks for nothing but an answer: no signature, no budget. @throws {SourceError} kind `transient` if there is none */
export async function probe(endpoint: URL, signal: AbortSignal): Promise<Probe> {
  const request = endpoint.protocol === 'http:' ? httpRequest : httpsRequest
  try {
    return await new Promise<Probe>((resolve, reject) => {
      const sent = request(endpoint, { method: 'HEAD', agent: false, signal }, ({ headers, socket }) => {
        const date = new Date(headers.date ?? Number.NaN)
        const tls = socket instanceof TLSSocket && { protocol: socket.getProtocol(), isVerified: socket.authorized }
        resolve({ ...(!Number.isNaN(date.getTime()) && { date }), ...(tls && { tls }) })
        socket.destroy()
      })
      sent.once('error', reject).end()
    })
  } catch (cause) {
    // Where a host has several addresses Node gives no message.
    const reason = (cause instanceof Error && cause.message) || codeOf(cause) || 'no connection'
    const text = `${endpoint.host} does not answer`
    throw new SourceError(
      'transient',
      'E_NETWORK',
      /CERT|TLS|SSL/.test(codeOf(cause) ?? '')
        ? `${text} as itself: ${reason}. Something in between may pose as it; an authority of your own goes to NODE_EXTRA_CA_CERTS.`
        : `${text}: ${reason}. Check LCIC_ENDPOINT, the network, and firewalls or proxies in between.`,
      { cause },
    )
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
