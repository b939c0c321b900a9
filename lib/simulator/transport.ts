import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault } from './faults'
import type { Reply } from './gateway'

/** The largest request body that the simulator takes. */
export const mostBodyBytes = 1024 * 1024

/** Reads a request's body; undefined if it is too large. Rejects if the client goes away before its end. */
export async function receiveBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= mostBodyBytes) chunks.push(chunk)
    else chunks.length = 0
    // A client that goes on for ever is cut off; one that merely sent too much is heard out and told.
    if (size > 16 * mostBodyBytes) throw new Error('The request body has no end')
  }
  return size > mostBodyBytes ? undefined : Buffer.concat(chunks)
}

/** Sends a reply, or does to the connection what its fault says. */
export function sendReply(response: ServerResponse, { body, fault }: Reply): void {
  // The client may have gone while the answer waited for its latency.
  if (fault?.kind === 'hang' || response.destroyed) return
  if (fault?.kind === 'reset') {
    response.socket?.resetAndDestroy()
    return
  }
  const { status, type, content } = contentOf(body, fault)
  const announced = fault?.kind === 'truncate' && fault.framing !== 'length' ? {} : { 'content-length': content.length }
  response.writeHead(status, { 'content-type': type, ...announced })
  if (fault?.kind === 'truncate') {
    response.write(content.subarray(0, Math.floor(content.length / 2)), () => response.socket?.destroy())
  } else {
    response.end(content)
  }
}

interface Content {
  status: number
  type: string
  content: Buffer
}

function contentOf(body: Reply['body'], fault: Fault | undefined): Content {
  const html = (status: number, text: string) => ({ status, type: 'text/html', content: Buffer.from(text) })
  const json = (content: Buffer) => ({ status: 200, type: 'application/json', content })
  switch (fault?.kind) {
    case 'status':
      return html(fault.status, `<html><h1>${fault.status}</h1></html>`)
    case 'html':
      return html(200, '<!doctype html><title>Sign in to the network</title>')
    case 'not-json':
      return json(Buffer.from('{"Response": {"Total": 12, "MemberRec'))
    case 'empty-json':
      return json(Buffer.from('{}'))
    default:
      return json(Buffer.concat(body.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))))
  }
}
