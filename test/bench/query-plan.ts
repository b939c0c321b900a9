/** What one execution read, by its plan. */
export interface PlanCost {
  /** Pages of 8 KB, from the server's cache and from outside it. */
  readonly buffers: number
  /** Rows that scans of tables read, those that they left out included. */
  readonly scanned: number
  /** Tables that were read from one end to the other. */
  readonly wholeTables: readonly string[]
  readonly executionMs: number
}

/** A node of `explain (analyze, buffers, format json)`. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly 'Shared Hit Blocks'?: number
  readonly 'Shared Read Blocks'?: number
  readonly Plans?: readonly PlanNode[]
}

export interface Plan {
  readonly Plan: PlanNode
  readonly 'Execution Time': number
}

/** Adds up what the nodes of a plan did; a node's buffers include those of the nodes below it. */
export function planCost({ Plan: top, 'Execution Time': executionMs }: Plan): PlanCost {
  // What the catalogue says of roles is read as well, and no matter.
  const scans = nodesOf(top).filter(
    (node) => node['Actual Loops'] && node['Relation Name'] && !node['Relation Name'].startsWith('pg_'),
  )
  return {
    buffers: (top['Shared Hit Blocks'] ?? 0) + (top['Shared Read Blocks'] ?? 0),
    scanned: Math.round(scans.reduce((rows, scan) => rows + rowsRead(scan), 0)),
    wholeTables: scans.filter((scan) => scan['Node Type'] === 'Seq Scan').map((scan) => scan['Relation Name'] ?? ''),
    executionMs,
  }
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

/** Figures of a node are means of its loops. */
function rowsRead(scan: PlanNode): number {
  const { 'Actual Rows': rows = 0, 'Actual Loops': loops = 0 } = scan
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': rechecked = 0 } = scan
  return (rows + filtered + rechecked) * loops
}
