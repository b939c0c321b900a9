'use strict'

/**
 * Makes `tencent` a provider that the serverless framework knows, so that serverless.yml is checked and packaged by it.
 * The functions, and their deployment to SCF, come on top of this.
 */
class TencentProvider {
  static getProviderName() {
    return 'tencent'
  }

  constructor(serverless) {
    serverless.setProvider('tencent', this)
    serverless.configSchemaHandler.defineProvider('tencent', {
      provider: {
        properties: { runtime: { const: 'Nodejs20.19' }, region: { type: 'string', pattern: '^[a-z]+-[a-z-]+$' } },
      },
    })
  }
}

module.exports = TencentProvider
