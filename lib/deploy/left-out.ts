import type { BuildOptions, Plugin } from 'esbuild'

/**
 * What the functions' packages drag in and functions never use. Each costs a cold start milliseconds to read and run; together
 * they cost it as much as all the rest.
 */
const leftOut: Readonly<Record<string, string>> = {
  // node-fetch's URL where Node has none; Node has had one since version 10. With it go the tables of tr46.
  'whatwg-url': 'Node has a URL of its own',
  // For requests of the SDK with files in them (`multipart`), of which neither LCIC nor SCF has any. With it goes mime-db.
  'form-data': 'no request is sent in several parts',
}

/** In their places stand functions that say so, should anything ever call them. */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup(build) {
    const names = new RegExp(`^(${Object.keys(leftOut).join('|')})$`)
    build.onResolve({ filter: names }, ({ path }) => ({ path, namespace: 'left-out' }))
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => {
      const message = `${path} is left out of the functions' bundles: ${leftOut[path]}. See lib/deploy/left-out.ts.`
      return { contents: `module.exports = function () { throw new TypeError(${JSON.stringify(message)}) }` }
    })
  },
}

/** esbuild's options by which bundles go without what they never use. */
export const withoutUnused = {
  plugins: [leaveOut],
  // pg asks where it runs: first `navigator`, which Node has from version 21 on, and else by making a Response, for which Node
  // 20 loads all of undici.
  define: { navigator: '{"userAgent":"Node.js/20"}' },
} satisfies BuildOptions
