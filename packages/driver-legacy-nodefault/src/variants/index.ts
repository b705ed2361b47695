// Variants: the driver with one member of its planner exchanged, so that it breaks in one named way.
import type { IommuOps } from '@iommu/core'
import type { ModelVariant } from '@iommu/hardware'
import { createDriver } from '../kinds.js'
import type { KindName } from '../kinds.js'
import { fslPamuPlanner } from '../programming/fsl-pamu.js'
import { msmPlanner, setContext } from '../programming/msm.js'
import { mtkV1Planner } from '../programming/mtk-v1.js'
import { omapPlanner } from '../programming/omap.js'
import type { Planner } from '../programming/planner.js'
import { s390Planner } from '../programming/s390.js'
import type { Step } from '../programming/steps.js'
import { tegraSmmuPlanner } from '../programming/tegra-smmu.js'
import { REGISTERS } from '../tables/tegra-smmu.js'

export type LegacyVariant = ModelVariant<IommuOps>

const variant = (
  id: string, title: string, kind: KindName, breaks: readonly string[], change: Partial<Planner>, profile?: LegacyVariant['profile'],
): LegacyVariant => ({
  id, title, breaks, on: [kind],
  ...(profile === undefined ? {} : { profile }),
  createDriver([machine], { warn }) {
    if (machine === undefined) throw new RangeError('a driver needs a machine')
    return createDriver(kind, machine, { warn }, change)
  },
})

const without = (steps: readonly Step[], register: string): Step[] => steps.filter((step) => step.do !== 'write' || step.register !== register)
const s390 = s390Planner({ relaxed: true, refresh: false })
const guest = s390Planner({ relaxed: false, refresh: true })

export const variants: readonly LegacyVariant[] = [
  variant('tegra-no-table-cache-flush', 'tegra-smmu: lines of page tables are never flushed', 'tegra-smmu', [
    'C-MAP-09', 'C-BLOCK-06', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-05', 'C-TLB-01', 'C-MAP-10', 'C-UNMAP-06',
  ], {
    open: (...args) => without(tegraSmmuPlanner.open(...args), REGISTERS.PTC_FLUSH.name),
    close: (...args) => without(tegraSmmuPlanner.close(...args), REGISTERS.PTC_FLUSH.name),
    flush: (pages) => without(tegraSmmuPlanner.flush(pages), REGISTERS.PTC_FLUSH.name),
  }),
  variant('tegra-no-flush-of-ids', 'tegra-smmu: an ASID is given away with what is kept of it', 'tegra-smmu', ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-06'], {
    open: (...args) => without(tegraSmmuPlanner.open(...args), REGISTERS.TLB_FLUSH.name),
    close: (...args) => without(tegraSmmuPlanner.close(...args), REGISTERS.TLB_FLUSH.name),
  }),
  variant('tegra-blocks-by-disable', 'tegra-smmu: blocked is what detach_dev wrote', 'tegra-smmu', [
    'C-BLOCK-02', 'C-DRV-02', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-10',
    'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-06', 'C-BLOCK-11', 'C-IDENT-05', 'C-OWN-01',
    'C-OWN-04', 'C-ROLL-02', 'C-REL-01', 'C-REL-04', 'C-RESET-01',
  ], {
    aim: (stream, from, to, ground) => tegraSmmuPlanner.aim(stream, from, to.at === 'blocked' ? { at: 'identity' } : to, ground),
  }),
  variant('msm-blocks-by-reset', 'msm: blocked is what detach_dev wrote: the bank is off', 'msm', [
    'C-BLOCK-02', 'C-DRV-02', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-10',
    'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-06', 'C-BLOCK-11', 'C-IDENT-05', 'C-OWN-01',
    'C-OWN-04', 'C-ROLL-02', 'C-REL-01', 'C-REL-04', 'C-RESET-01',
  ], {
    aim: (stream, from, to, ground) => msmPlanner.aim(stream, from, to.at === 'blocked' ? { at: 'identity' } : to, ground),
  }),
  variant('msm-bank-kept', 'msm: a bank is given away with what is kept of it', 'msm', ['C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-06'], {
    open: (bank, ...rest) => without(msmPlanner.open(bank, ...rest), `CTX_TLBIALL.${bank}`),
    close: (bank, ...rest) => without(msmPlanner.close(bank, ...rest), `CTX_TLBIALL.${bank}`),
  }),
  variant('msm-wrong-address-space', 'msm: pages are invalidated in the next address space', 'msm', [
    'C-UNMAP-03', 'C-UNMAP-02', 'C-UNMAP-04', 'C-UNMAP-05', 'C-TLB-01', 'C-MAP-10', 'C-UNMAP-06',
  ], {
    flush: (pages) => msmPlanner.flush({ ...pages, id: pages.id + 1 }),
  }),
  variant('msm-on-too-early', 'msm: a bank is on before its table is named', 'msm', [
    'C-ATTACH-05', 'C-ATTACH-04', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-17',
    'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-03', 'C-REL-05', 'C-DEFER-01', 'C-RESV-01',
    'C-RESV-02', 'C-RESV-03', 'C-RESET-01', 'C-RESET-04', 'C-MAP-03', 'C-MAP-05', 'C-MAP-07', 'C-MAP-08', 'C-MAP-09',
    'C-UNMAP-01', 'C-UNMAP-02', 'C-TLB-01', 'C-I2P-01',
  ], {
    open: (bank) => [setContext(bank, 'SCTLR', 1n)],
  }),
  variant('omap-no-flush', 'omap: a new table, and no flush', 'omap', [
    'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-02', 'C-BLOCK-06', 'C-OWN-01', 'C-REL-04',
  ], {
    aim: (instance, ...rest) => without(omapPlanner.aim(instance, ...rest), `MMU${instance}_GFLUSH`),
  }),
  variant('omap-blocks-by-off', 'omap: blocked is what detach_dev wrote: the MMU is off', 'omap', [
    'C-IDENT-05', 'C-DRV-02', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-10',
    'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-06', 'C-BLOCK-11', 'C-OWN-01',
    'C-OWN-04', 'C-ROLL-02', 'C-REL-01', 'C-REL-04', 'C-RESET-01',
  ], {
    aim: (stream, from, to, ground) => omapPlanner.aim(stream, from, to.at === 'blocked' ? { at: 'identity' } : to, ground),
  }),
  variant('s390-no-refresh', 's390: unmapped pages are not refreshed', 's390', ['C-TLB-01', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-05', 'C-MAP-10', 'C-UNMAP-06'], { flush: () => [] }),
  variant('s390-guest-maps-unseen', 's390 guest: maps are not refreshed', 's390-guest', ['C-MAP-09'], { keepsAbsent: false }),
  variant('s390-blocks-by-identity', 's390: blocked registers no tables instead of nothing', 's390', [
    'C-BLOCK-02', 'C-ATTACH-02', 'C-DRV-02', 'C-DRV-03', 'C-DRV-05', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07',
    'C-ATTACH-08', 'C-ATTACH-09', 'C-ATTACH-10', 'C-ATTACH-12', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-03',
    'C-BLOCK-04', 'C-BLOCK-06', 'C-BLOCK-11', 'C-IDENT-05', 'C-DETACH-01', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-02',
    'C-ROLL-05', 'C-REL-01', 'C-REL-04', 'C-RESET-01',
  ], {
    aim: (stream, from, to, ground) => s390.aim(stream, from, to.at === 'blocked' ? { at: 'identity' } : to, ground),
  }),
  variant('s390-guest-refreshes-one', 's390 guest: only the first device of a domain is refreshed', 's390-guest', ['C-UNMAP-03'], {
    flush: (pages) => guest.flush({ ...pages, streams: pages.streams.slice(0, 1) }),
  }),
  variant('pamu-stays-valid', 'fsl-pamu: blocked leaves the entry valid', 'fsl-pamu', [
    'C-BLOCK-02', 'C-DRV-02', 'C-DRV-05', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-BLOCK-01', 'C-BLOCK-11',
    'C-IDENT-05', 'C-OWN-01', 'C-OWN-04',
  ], {
    aim: (liodn, from, to, ground) => (to.at === 'blocked' ? [] : fslPamuPlanner.aim(liodn, from, to, ground)),
  }),
  variant('mtk-never-cleared', 'mtk-v1: identity leaves the port as it is, as the first generation\'s arbiters did', 'mtk-v1', [
    'C-ATTACH-05', 'C-DRV-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-REL-04',
  ], {
    aim: (port, from, to, ground) => (to.at === 'tables' ? mtkV1Planner.aim(port, from, to, ground) : []),
  }, {
    name: 'linux-7.3',
    does: 'clears a bit of software for identity, which the arbiter\'s resume skips: the port goes on translating',
    source: 'drivers/iommu/mtk_iommu_v1.c mtk_iommu_v1_identity_attach, drivers/memory/mtk-smi.c mtk_smi_larb_config_port_gen1, 7.3.4',
  }),
  variant('gart-entries-stay', 'tegra-gart: entries are left as they are, as detach_dev left them', 'tegra-gart', [
    'C-ATTACH-05', 'C-ATTACH-04', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-17', 'C-IDENT-05',
    'C-REL-05', 'C-DEFER-01', 'C-MAP-03', 'C-MAP-04', 'C-MAP-06', 'C-MAP-08', 'C-MAP-09', 'C-MAP-10', 'C-UNMAP-01',
    'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-05', 'C-I2P-01', 'C-UNMAP-06',
  ], { aim: () => [] }),
]
