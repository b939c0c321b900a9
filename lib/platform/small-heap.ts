import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 collect garbage before it takes more memory: left alone it lets the heap of a large room grow beyond the 128 MB that
 * a function has. V8 reads both flags at each collection, so that they hold from now on; those that limit the heap's size
 * are read when Node starts, and a function cannot give any then.
 */
export function keepHeapSmall(): void {
  // New objects have a megabyte: what lives on is moved on more often, and not that much is kept for it.
  setFlagsFromString('--semi-space-growth-factor=1')
  // The rest is looked through when it has grown by 30 %, and not when it has grown to a multiple.
  setFlagsFromString('--heap-growing-percent=30')
}
