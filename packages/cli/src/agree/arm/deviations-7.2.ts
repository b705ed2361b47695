// Where the SMMU of QEMU 7.2 does not do what the specification says, and later ones do.
import { EVENTS } from '@iommu/driver-arm-smmuv3/queues'
import { smmuv3 } from '@iommu/machine-qemu'
import { codeOf, SILENCE, withFields } from '../deviation.js'
import { changeEntries, plainTweak } from '../plan.js'
import type { Page } from '../plan.js'
import { isBlockForTable, lastRead, onePage, probe, UPPER_IOVA } from './deviation-parts.js'
import type { ArmDeviation } from './deviation-parts.js'
import { shiftOf } from './plan.js'
import type { ArmPlan } from './plan.js'

const series = ['7.2']

/** Bits of address that reach the SMMU. */
const INPUT_BITS = 48n

const wideSilent: ArmDeviation = {
  id: 'smmu-48-bits',
  says: 'an address of more than 48 bits: it does not reach QEMU\'s SMMU, and is blocked without an event; the specification has 64 bits, and the upper half of the address space there',
  series,
  answer: ({ probe: { address } }) => (address >> INPUT_BITS > 0n ? SILENCE : undefined),
  reproduce: () => ({
    plan: onePage(1, { upper: true, pages: [{ iova: UPPER_IOVA, level: 1, target: smmuv3.data.start, entries: {} }] }),
    probes: [probe('read', UPPER_IOVA)],
  }),
}

const accessFlags: ArmDeviation = {
  id: 'smmu-access-flag-ignored',
  says: 'the access flag of a leaf: QEMU does not look at it; the specification has F_ACCESS where it is 0',
  series,
  instead: ({ plan }) => changeEntries<Page, ArmPlan>(plan, (tweak, level, page) => {
    if (tweak.fields?.['AF'] === 0) return plainTweak(tweak, ['AF'])
    return isBlockForTable(tweak, level, page) ? { ...tweak, fields: { ...tweak.fields, AF: 1 } } : undefined
  }),
  reproduce: () => ({ plan: onePage(1, {}, { 1: { fields: { AF: 0 } } }), probes: [probe('read')] }),
}

const blockTaken: ArmDeviation = {
  id: 'smmu-block-taken',
  says: 'a block at a level that has none: QEMU translates by it; the specification takes it for invalid',
  series,
  answer(seen) {
    const { plan, probe: { address } } = seen
    const { last, level } = lastRead(seen)
    if (codeOf(seen) !== EVENTS.F_TRANSLATION || last?.Valid !== 1 || last.Table !== 0 || level === 1) return undefined
    const inside = (1n << BigInt(shiftOf(plan, level))) - 1n
    return { where: (last.OA & ~inside) | (address & inside), records: [] }
  },
  reproduce: () => ({
    plan: onePage(1, { inputBits: 48, levels: 4 }, { 4: { fields: { Table: 0 } } }), probes: [probe('read')],
  }),
}

const leafTooWide: ArmDeviation = {
  id: 'smmu-leaf-too-wide',
  says: 'a leaf whose address is wider than the output size: QEMU sends the access there; the specification has F_ADDR_SIZE',
  series,
  answer(seen) {
    const { plan, probe: { address } } = seen
    const { last, level } = lastRead(seen)
    if (codeOf(seen) !== EVENTS.F_ADDR_SIZE || last === undefined || (last.Table === 1 && level > 1)) return undefined
    return { where: last.OA + (address & ((1n << BigInt(shiftOf(plan, level))) - 1n)), records: [] }
  },
  reproduce: () => ({ plan: onePage(1, {}, { 1: { fields: { OA: 1n << 44n } } }), probes: [probe('read')] }),
}

const classZero: ArmDeviation = {
  id: 'smmu-class-0',
  says: 'CLASS of events of translations: QEMU leaves it 0; the specification has 2 for the input address',
  series,
  answer: ({ answer }) => (answer.records.some(({ fields: { CLASS } }) => CLASS === 2) ? withFields(answer, { CLASS: 0 }) : undefined),
  reproduce: () => ({ plan: onePage(1, {}, { 1: { fields: { Valid: 0 } } }), probes: [probe('read')] }),
}

/** What is overlooked, and what is answered otherwise before anything else is looked at. */
export const before72: readonly ArmDeviation[] = [accessFlags]
/** What becomes of every answer at last. */
export const after72: readonly ArmDeviation[] = [blockTaken, leafTooWide, classZero, wideSilent]
