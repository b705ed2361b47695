// Variants: the driver with one member of its pure half exchanged, so that it breaks in one named way.
import { decode, encode } from '@iommu/bits'
import type { TestMachine } from '@iommu/hardware'
import { backends } from '../backends.js'
import { programming } from '../programming/index.js'
import { cfgiStream, flushDevice } from '../programming/invalidate.js'
import { OFFSETS, OPCODES, prefetchConfigCommand, queueBase } from '../tables/index.js'
import { linuxVariants } from './linux.js'
import { BOTH, oneSync, plans, STAGE_1, syncs, variant } from './variant.js'
import type { SmmuVariant } from './variant.js'

const named = (part: string): string[] => backends.map(({ backend }) => backend).filter((name) => name.includes(part))

/** A machine whose barriers order nothing: stores reach memory when something else makes them. */
const withoutBarriers = (machine: TestMachine, broken: () => boolean): TestMachine => ({
  ...machine,
  memory: Object.assign(Object.create(machine.memory) as TestMachine['memory'], {
    order() {
      if (!broken()) machine.memory.order()
    },
  }),
})

/** A machine to a driver that does not wait: the SYNC that it queues is a hint to prefetch. */
const withoutSync = (machine: TestMachine, broken: () => boolean): TestMachine => {
  const { registers, memory } = machine
  const harmless = encode(prefetchConfigCommand, { Opcode: OPCODES.prefetchConfig })
  return {
    ...machine,
    registers: {
      ...registers,
      write32(offset, value) {
        if (offset === OFFSETS.CMDQ_PROD && broken() && value !== registers.read32(OFFSETS.CMDQ_PROD)) {
          const { ADDR, LOG2SIZE } = decode(queueBase, [registers.read64(OFFSETS.CMDQ_BASE)])
          const size = 2 ** LOG2SIZE
          const at = ADDR + BigInt(((value - 1 + 2 * size) % size) * 16)
          harmless.forEach((word, index) => memory.store64(at + BigInt(index * 8), word))
        }
        registers.write32(offset, value)
      },
    },
  }
}

const isInvalidated = (index: number, value: bigint): boolean => index === 0 && value === 0n

const mutants: readonly SmmuVariant[] = [
  variant('one-sync-ascending', 'the words of an entry are stored lowest first, with one sync for all',
    [
      'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
    ], STAGE_1, oneSync((indexes) => indexes)),
  variant('one-sync-descending', 'the words of an entry are stored highest first, with one sync for all',
    [
      'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-03', 'C-PASID-13', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01',
      'C-FREE-03',
    ], STAGE_1, oneSync((indexes) => indexes.reverse())),
  variant('only-final-sync', 'an entry is synced once, after all of its stores',
    [
      'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03',
    ], STAGE_1, syncs((index, count) => index === count - 1)),
  variant('first-sync-skipped', 'an entry is not synced before its critical word',
    [
      'C-ATTACH-06', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-TLB-02', 'C-FREE-03',
    ], STAGE_1, syncs((index, count) => index > 0 || count === 1)),
  variant('final-sync-skipped', 'an entry is not synced after its last store',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-17', 'C-TLB-02',
    ], STAGE_1, syncs((index, count) => index < count - 1)),
  variant('sync-before-stores', 'an entry is synced before each group of stores, and not after',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-17', 'C-TLB-02',
    ], STAGE_1, plans((steps, sync) => {
    const out = steps.filter((step) => step.do !== 'invalidate')
    return out.flatMap((step, index) => (step.do === 'store' && out[index - 1]?.do !== 'store' ? [sync, step] : [step]))
  })),
  variant('no-configuration-flush', 'after an entry\'s stores there is a SYNC, and nothing that it could complete',
    [
      'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-06', 'C-IDENT-05', 'C-OWN-01', 'C-REL-04',
      'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-17', 'C-SVA-04', 'C-SVA-05', 'C-SVA-06', 'C-TLB-02', 'C-FREE-01',
      'C-FREE-03',
    ], STAGE_1, {
    syncStream: () => [], syncContext: () => [],
  }),
  variant('no-stream-flush', 'the cached stream table entry is not invalidated',
    [
      'C-IDENT-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-ATTACH-05', 'C-TLB-02', 'C-FREE-03',
    ], STAGE_1, { syncStream: () => [] }),
  variant('no-context-flush', 'the cached context descriptor is not invalidated',
    [
      'C-FREE-03', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-17',
      'C-SVA-04', 'C-SVA-05', 'C-SVA-06', 'C-TLB-02', 'C-FREE-01', 'C-ATTACH-05',
    ], STAGE_1, { syncContext: () => [] }),
  variant('pasid-context-kept', 'the cached context descriptor of a PASID is not invalidated',
    [
      'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-17', 'C-SVA-04', 'C-SVA-05', 'C-SVA-06', 'C-TLB-02', 'C-FREE-01',
      'C-FREE-03',
    ], STAGE_1, {
    syncContext: (sources, pasid) => (pasid === 0 ? programming.syncContext(sources, pasid) : []),
  }),
  variant('no-sync', 'nothing waits for invalidations',
    [
      'C-UNMAP-08', 'C-UNMAP-09', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-17', 'C-SVA-05', 'C-UNMAP-07',
      'C-TLB-02', 'C-FREE-01', 'C-FREE-02', 'C-FREE-03',
    ], STAGE_1, {}, withoutSync),
  variant('never-invalid', 'an entry of which two words change is not made invalid meanwhile',
    [
      'C-ATTACH-06', 'C-ATTACH-05', 'C-PASID-03', 'C-PASID-04', 'C-PASID-17', 'C-PASID-18', 'C-TLB-02', 'C-FREE-01',
      'C-FREE-03', 'C-DRV-05',
    ], BOTH, plans((steps) => {
    const at = steps.findIndex((step) => step.do === 'store' && isInvalidated(step.index, step.value))
    // What made it invalid is one store, what settles it, and its sync.
    const last = steps.findLastIndex((step) => step.do === 'store')
    return at < 0 || at === last ? [...steps] : [...steps.slice(0, at), ...steps.slice(at + 4)]
  })),
  variant('no-barrier', 'no barrier before commands, on a CPU that stores late',
    [
      'C-ATTACH-06', 'C-ATTACH-05', 'C-ATTACH-18', 'C-PASID-03', 'C-PASID-17', 'C-PASID-18', 'C-SVA-05', 'C-UNMAP-07',
      'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02', 'C-FREE-01', 'C-FREE-02', 'C-FREE-03',
    ], STAGE_1, {}, withoutBarriers),
  variant('no-write-back', 'entries are not written back for an SMMU that does not snoop',
    [
      'C-ATTACH-05', 'C-ATTACH-04', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-17', 'C-ATTACH-18',
      'C-BLOCK-05', 'C-BLOCK-06', 'C-IDENT-01', 'C-IDENT-04', 'C-IDENT-05', 'C-OWN-01', 'C-OWN-04', 'C-ROLL-03', 'C-REL-05',
      'C-DEFER-01', 'C-RESV-01', 'C-RESV-02', 'C-RESV-03', 'C-RESET-01', 'C-RESET-04', 'C-PASID-03', 'C-PASID-04',
      'C-PASID-05', 'C-PASID-06', 'C-PASID-09', 'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-PASID-17', 'C-PASID-18',
      'C-MAP-03', 'C-MAP-05', 'C-MAP-07', 'C-MAP-08', 'C-MAP-09', 'C-UNMAP-01', 'C-UNMAP-02', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09',
      'C-TLB-01', 'C-TLB-02', 'C-I2P-01', 'C-FREE-01', 'C-FREE-03', 'C-PASID-08',
    ], named('does not snoop'),
    plans((steps) => steps.filter((step) => step.do !== 'write-back'))),
  variant('ids-not-flushed', 'ASIDs and VMIDs are given back with translations cached under them',
    [
      'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-09', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-06', 'C-PASID-03',
      'C-PASID-04', 'C-PASID-17', 'C-PASID-18', 'C-SVA-04', 'C-SVA-05', 'C-UNMAP-05', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-02',
      'C-FREE-02',
    ], BOTH, { flushTag: () => [] }),
  variant('vmids-not-flushed', 'a VMID is given back with translations cached under it',
    [
      'C-FREE-01', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-06', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09',
      'C-TLB-02', 'C-FREE-02',
    ], BOTH, {
    flushTag: (tag) => (tag.stage === 2 ? [] : programming.flushTag(tag)),
  }),
  variant('asid-for-vmid', 'stage 2 is flushed by ASID',
    [
      'C-UNMAP-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-17', 'C-ATTACH-18', 'C-BLOCK-06', 'C-UNMAP-02', 'C-UNMAP-03',
      'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09', 'C-TLB-01', 'C-TLB-02', 'C-FREE-01', 'C-FREE-02',
    ], BOTH, {
    flushTag: (tag) => programming.flushTag({ ...tag, stage: 1 }),
    flushPages: (tag, ...rest) => programming.flushPages({ ...tag, stage: 1 }, ...rest),
  }),
  variant('tables-not-forgotten', 'flushes say that only leaves changed, although tables were freed',
    [
      'C-UNMAP-08', 'C-UNMAP-09', 'C-UNMAP-02', 'C-UNMAP-07', 'C-TLB-02', 'C-FREE-02',
    ], STAGE_1, {
    flushPages: (tag, pages, ...rest) => programming.flushPages(tag, { ...pages, leavesOnly: true }, ...rest),
  }),
  variant('first-page-only', 'an unmap flushes the first page of its range only', ['C-UNMAP-04', 'C-TLB-01', 'C-MAP-10', 'C-UNMAP-06'], STAGE_1, {
    flushPages: (tag, pages, ...rest) => programming.flushPages(tag, { ...pages, end: pages.start }, ...rest),
  }),
  variant('wrong-asid-flushed', 'an unmap flushes the next ASID',
    [
      'C-TLB-01', 'C-PASID-11', 'C-SVA-03', 'C-SVA-05', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-07', 'C-UNMAP-08', 'C-UNMAP-09',
      'C-TLB-02', 'C-FREE-02', 'C-MAP-10', 'C-UNMAP-06',
    ], STAGE_1, {
    flushPages: (tag, ...rest) => programming.flushPages({ ...tag, id: tag.id + 1 }, ...rest),
  }),
  variant('first-command-only', 'of a flush that takes several commands the first is sent', ['C-UNMAP-04', 'C-TLB-01', 'C-UNMAP-06'], named('no range invalidation'), {
    flushPages: (tag, pages, granule, capabilities) => {
      const [first] = programming.flushPages(tag, pages, granule, capabilities)
      return first === undefined ? [] : [first]
    },
  }),
  variant('device-tlb-kept', 'the device\'s own TLB is not invalidated when an entry changes', ['C-TLB-02'], STAGE_1, {
    flushDevice: (source) => cfgiStream(source, true), flushWholeDevice: (source) => cfgiStream(source, true),
  }),
  variant('device-tlb-pages-kept', 'the device\'s own TLB is told of another page than the one unmapped', ['C-TLB-02'], STAGE_1, {
    flushDevicePages: (source, pasid, start, end) => programming.flushDevicePages(source, pasid, start ^ 0x100_0000n, end ^ 0x100_0000n),
  }),
  variant('device-tlb-without-pasid', 'the device\'s own TLB is told of the requester id\'s pages, whatever the PASID', ['C-TLB-02'], STAGE_1, {
    flushDevicePages: (source, _pasid, start, end) => programming.flushDevicePages(source, 0, start, end),
    flushDevice: (source) => programming.flushDevice(source, 0),
  }),
  variant('device-tlb-always', 'every flush of pages goes to a device\'s TLB too, wherever the device is', ['C-RESET-04'], STAGE_1, {
    flushPages: (...args) => [...programming.flushPages(...args), flushDevice(0x20, 0)],
  }),
]

export const variants: readonly SmmuVariant[] = [...mutants, ...linuxVariants]

export type { SmmuVariant } from './variant.js'
