// Finds the tables below a table: to give them back, or to see that nothing is mapped through them.
import type { Memory } from '@iommu/hardware'
import { isTable } from './entries.js'
import type { Format } from './format.js'
import { frameAt, heldHigh, heldLow } from './pairs.js'

/**
 * Calls `visit` with the frame of each table below the one at `frame`, deepest first. Where leaves are not
 * accepted it ends at the first one and answers false; tables before it have been visited.
 */
export const visitTables = (
  format: Format, memory: Memory, frame: number, level: number, visit: (frame: number) => void, acceptLeaves: boolean,
): boolean => {
  const { present } = format
  const count = 1 << (level === format.levels ? format.rootBits : format.bitsPerLevel)
  if (level === 1 && acceptLeaves) return true
  if (memory.areClear(frame, 0, count, present)) return true
  for (let index = 0; index < count; index++) {
    memory.loadPair(frame, index)
    const low = memory.low
    const high = memory.high
    if ((low & present) === 0) continue
    if (!isTable(format, level, low)) {
      if (!acceptLeaves) return false
      continue
    }
    const table = frameAt(heldLow(format, low), heldHigh(format, low, high))
    if (!visitTables(format, memory, table, level - 1, visit, acceptLeaves)) return false
    visit(table)
  }
  return true
}
