// SMMUv3, as everything general in this package wants it.
import { commandLayout } from '@iommu/driver-arm-smmuv3/queues'
import type { Vendor } from '../vendor.js'
import { changes } from './changes.js'
import { codeNamed, explainCode } from './codes.js'
import { aliases, entries } from './entries.js'
import { createLogReader } from './explain.js'
import { pendingFaults } from './fault-records.js'
import { judge } from './judge.js'
import { gather } from './reproduce-gather.js'
import { reproduceRules } from './reproduce-rules.js'
import { readUnit } from './unit.js'
import { walk } from './walk.js'

export const vendor: Vendor = {
  id: 'smmuv3',
  entries,
  aliases,
  pageEntries: ['smmuv3.s1', 'smmuv3.s2', 'smmuv3.s1-52', 'smmuv3.s2-52'],
  rules: reproduceRules,
  changes,
  commandLayout,
  createUnit(capture) {
    const unit = readUnit(capture)
    return {
      mode: unit.mode,
      rootTable: unit.streamTable.base,
      rootTitle: 'stream table',
      judge: (requesterId) => judge(unit, requesterId),
      walk: (question, way) => walk(unit, capture, question, way),
      pendingFaults: () => pendingFaults(capture),
      gather: () => gather(unit, capture),
    }
  },
  explainCode,
  codeNamed,
  createLogReader,
}
