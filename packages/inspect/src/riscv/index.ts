// The RISC-V IOMMU, as everything general in this package wants it. Its own captures are not compared with the driver's
// words: nobody has recorded any yet.
import { commandLayout } from '@iommu/driver-riscv/queues'
import type { Vendor } from '../vendor.js'
import { changes } from './changes.js'
import { explainCode } from './codes.js'
import { aliases, entries, wordNames } from './entries.js'
import { createLogReader } from './explain.js'
import { pendingFaults } from './fault-records.js'
import { judge } from './judge.js'
import { readUnit } from './unit.js'
import { walk } from './walk.js'

export const vendor: Vendor = {
  id: 'riscv',
  entries,
  aliases,
  wordNames,
  pageEntries: ['riscv.pte'],
  rules: [],
  changes,
  commandLayout,
  createUnit(capture) {
    const unit = readUnit(capture)
    return {
      mode: unit.mode,
      rootTable: unit.directory.root,
      rootTitle: 'device directory',
      judge: (requesterId) => judge(unit, capture, requesterId),
      walk: (question, way) => walk(unit, capture, question, way),
      pendingFaults: () => pendingFaults(capture),
    }
  },
  explainCode,
  // Its causes have numbers alone.
  codeNamed: () => undefined,
  createLogReader,
}
