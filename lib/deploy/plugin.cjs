'use strict'

// The serverless framework loads JavaScript; the provider is TypeScript, which is bundled here in memory.
const Module = require('node:module')
const { join } = require('node:path')
const { buildSync } = require('esbuild')

const { outputFiles } = buildSync({
  entryPoints: [join(__dirname, 'plugin.ts')],
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  keepNames: true,
  sourcemap: 'inline',
  sourcesContent: false,
  // What is large, or is no JavaScript, is loaded when it is needed. Other packages come along: ES modules among them.
  external: ['esbuild', 'fflate', 'zod', 'tencentcloud-sdk-nodejs'],
  logLevel: 'error',
})
const bundle = new Module(join(__dirname, 'plugin.bundle.cjs'), module)
bundle.filename = bundle.id
bundle.paths = module.paths
bundle._compile(outputFiles[0].text, bundle.filename)

module.exports = bundle.exports.default
