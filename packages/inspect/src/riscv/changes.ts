// How the RISC-V IOMMU's driver changes device contexts and process contexts, from its own pure planner.
import { decodeField } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { fenceCommand, programming, usedOfDevice, usedOfProcess } from '@iommu/driver-riscv/reproduce'
import type { PlanStep } from '@iommu/driver-riscv/reproduce'
import * as tables from '@iommu/driver-riscv/tables'
import type { ChangePlan, ChangeStep } from '../vendor.js'

/** A submission ends with a fence: only then is it known to be complete. */
const steps = (planned: readonly PlanStep[]): ChangeStep[] =>
  planned.map((step): ChangeStep => {
    switch (step.do) {
      case 'store': return { do: 'store', index: step.index, words: [step.value] }
      case 'invalidate': return { do: 'invalidate', commands: [...step.commands, fenceCommand()] }
      case 'order': return step
      default: return step satisfies never
    }
  })

const deviceContext = (layout: Entry): ChangePlan => ({
  plan: (from, to, { source }) => steps(programming.planEntry(from, to, programming.flushDevice(source, []), usedOfDevice)),
  isLive: (words) => decodeField(layout, words, 'V') === 1,
})

export const changes: Readonly<Record<string, ChangePlan>> = {
  [tables.deviceContext.name]: deviceContext(tables.deviceContext),
  [tables.baseDeviceContext.name]: deviceContext(tables.baseDeviceContext),
  [tables.processContext.name]: {
    plan: (from, to, { source, pasid }) =>
      steps(programming.planEntry(from, to, programming.flushProcess([source], pasid, []), usedOfProcess)),
    isLive: (words) => decodeField(tables.processContext, words, 'V') === 1,
  },
}
