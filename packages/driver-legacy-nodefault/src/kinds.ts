// The kinds of hardware, by name: which planner drives each.
import type { Machine } from '@iommu/hardware'
import { createLegacyDriver } from './driver.js'
import type { LegacyDriver, LegacyOptions } from './driver.js'
import { fslPamuPlanner } from './programming/fsl-pamu.js'
import { msmPlanner } from './programming/msm.js'
import { mtkV1Planner } from './programming/mtk-v1.js'
import { omapPlanner } from './programming/omap.js'
import type { Planner } from './programming/planner.js'
import { s390Planner } from './programming/s390.js'
import { createTegraGart } from './programming/tegra-gart.js'
import { tegraSmmuPlanner } from './programming/tegra-smmu.js'
import { memoryStorage } from './unit.js'

/** The seven drivers of the thread, and s390 once more as the guest of a host that shadows its tables. */
export type KindName = 'fsl-pamu' | 'msm' | 'mtk-v1' | 'omap' | 's390' | 's390-guest' | 'tegra-gart' | 'tegra-smmu'

const planners: Readonly<Record<Exclude<KindName, 'tegra-gart'>, Planner>> = {
  'fsl-pamu': fslPamuPlanner,
  msm: msmPlanner,
  'mtk-v1': mtkV1Planner,
  omap: omapPlanner,
  s390: s390Planner({ relaxed: true, refresh: false }),
  's390-guest': s390Planner({ relaxed: false, refresh: true }),
  'tegra-smmu': tegraSmmuPlanner,
}

/**
 * Takes the hardware over and answers its driver. From then on what the hardware can block is blocked until a domain is
 * set. Throws ENOMEM. `change`: members of the planner that variants exchange.
 */
export const createDriver = (kind: KindName, machine: Machine, options: LegacyOptions = {}, change: Partial<Planner> = {}): LegacyDriver => {
  if (kind !== 'tegra-gart') return createLegacyDriver(machine, { ...planners[kind], ...change }, options)
  const { planner, storageOf } = createTegraGart(machine)
  return createLegacyDriver(machine, { ...planner, ...change }, options, (shape) => storageOf(shape, memoryStorage(machine.memory, shape, true)))
}
