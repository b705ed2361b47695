// VT-d, as everything general in this package wants it.
import { descriptorLayout } from '@iommu/driver-intel-vtd/queues'
import type { Vendor } from '../vendor.js'
import { changes } from './changes.js'
import { explainCode } from './codes.js'
import { aliases, entries } from './entries.js'
import { createLogReader } from './explain.js'
import { pendingFaults } from './fault-records.js'
import { judge } from './judge.js'
import { gather } from './reproduce-gather.js'
import { reproduceRules } from './reproduce-rules.js'
import { readUnit } from './unit.js'
import { walk } from './walk.js'

export const vendor: Vendor = {
  id: 'vtd',
  entries,
  aliases,
  pageEntries: ['vtd.ss', 'vtd.fs'],
  rules: reproduceRules,
  changes,
  commandLayout: descriptorLayout,
  createUnit(capture) {
    const unit = readUnit(capture)
    return {
      mode: unit.mode,
      rootTable: unit.rootTable,
      rootTitle: 'root table',
      judge: (requesterId) => judge(unit, requesterId),
      walk: (question, way) => walk(unit, capture, question, way),
      pendingFaults: () => pendingFaults(capture),
      gather: () => gather(unit, capture),
    }
  },
  explainCode,
  // Its reasons have numbers alone.
  codeNamed: () => undefined,
  createLogReader,
}
