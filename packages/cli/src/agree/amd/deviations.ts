// Where QEMU's AMD-Vi does not do what the specification says.
import { EVENT_CODES } from '@iommu/driver-amd-vi/queues'
import { amdVi } from '@iommu/machine-qemu'
import { codeOf, SILENCE } from '../deviation.js'
import { changeEntries, fieldOf, plainFields, plainTweak } from '../plan.js'
import { GRANTS, IOVA, isKept, onePage, probe, way } from './deviation-parts.js'
import type { AmdDeviation } from './deviation-parts.js'
import { after72, before72 } from './deviations-7.2.js'
import { NOWHERE } from './generate.js'
import { ADDRESS_BITS } from './model.js'
import type { AmdPage, AmdPlan } from './plan.js'

/** The series that has events, and whose walker is another one than that of 7.2. */
const LATER = ['11.1']

const deviceTableSize: AmdDeviation = {
  id: 'amd-device-table-size',
  says: 'a device id beyond the device table: QEMU reads what lies there; the specification has ILLEGAL_DEV_TABLE_ENTRY for it',
  instead: ({ plan }) => plainFields(plan, 'table', ['Size']),
  reproduce: () => ({ plan: onePage({ source: 0x88, way: { table: { fields: { Size: 0 } } } }), probes: [probe('read', IOVA, 0x88)] }),
}

const suppressed: AmdDeviation = {
  id: 'amd-suppress-all',
  series: LATER,
  says: 'SA in a device table entry: QEMU logs its page faults all the same; the specification has none logged',
  instead: ({ plan }) => plainFields(plan, 'device', ['SA']),
  reproduce: () => ({ plan: onePage({ way: { device: { fields: { SA: 1 } } } }, { 1: { fields: { PR: 0 } } }), probes: [probe('read')] }),
}

const guestFields: AmdDeviation = {
  id: 'amd-guest-ignored',
  says: 'HAD, GV, GIoV and GLX in a device table entry: QEMU does not look at them; the specification has ILLEGAL_DEV_TABLE_ENTRY where the unit lacks what they ask for',
  instead: ({ plan }) => plainFields(plan, 'device', ['HAD', 'GV', 'GIoV', 'GLX']),
  reproduce: () => ({ plan: way('device', { fields: { HAD: 2 } }), probes: [probe('read')] }),
}

/** Bits that the layout reserves in every entry, and FC, which is reserved in tables. */
const RESERVED_BITS = [52, 53, 54, 55, 56, 57, 58, 60]

const reservedUnchecked: AmdDeviation = {
  id: 'amd-reserved-unchecked',
  says: 'reserved bits of page table entries: QEMU does not look at them; the specification has an IO_PAGE_FAULT',
  instead: ({ plan }) => changeEntries<AmdPage, AmdPlan>(plan, ({ flips = [], ...tweak }) =>
    (flips.some((bit) => RESERVED_BITS.includes(bit)) ? { ...tweak, flips: flips.filter((bit) => !RESERVED_BITS.includes(bit)) } : undefined)),
  reproduce: () => ({ plan: onePage({}, { 1: { flips: [52] } }), probes: [probe('read')] }),
}

const leafAlone: AmdDeviation = {
  id: 'amd-permissions-of-leaf',
  series: LATER,
  says: 'permissions above the leaf: QEMU grants what the leaf grants; the specification has the AND of the device table entry and all levels',
  instead({ plan }) {
    // Nothing at all is not granted in either.
    const device = fieldOf(plan, 'device', 'IR') === 0 && fieldOf(plan, 'device', 'IW') === 0 ? undefined : plainFields(plan, 'device', GRANTS)
    const tables = changeEntries<AmdPage, AmdPlan>(device ?? plan, (tweak, level, page) =>
      (level > page.level && GRANTS.some((name) => tweak.fields?.[name] !== undefined) && tweak.fields?.['PR'] === undefined
        ? plainTweak(tweak, GRANTS) : undefined))
    return tables ?? device
  },
  reproduce: () => ({ plan: onePage({}, { 2: { fields: { IW: 0 } } }), probes: [probe('write')] }),
}

const modeZero: AmdDeviation = {
  id: 'amd-mode-0-permissions',
  series: LATER,
  says: 'Mode 0: QEMU lets everything pass, whatever IR and IW say; the specification has them granted or refused by IR and IW',
  instead: ({ plan }) => (fieldOf(plan, 'device', 'Mode') === 0 && fieldOf(plan, 'device', 'TV') === undefined
    ? plainFields(plan, 'device', GRANTS) : undefined),
  reproduce: () => ({ plan: way('device', { fields: { Mode: 0, IW: 0 } }), probes: [probe('write', amdVi.data.start)] }),
}

const modeZeroWidth: AmdDeviation = {
  id: 'amd-mode-0-width',
  series: LATER,
  says: 'Mode 0: QEMU lets every address pass; the specification bounds it by the width of physical addresses',
  answer(seen) {
    const { plan, probe: { address } } = seen
    const wide = fieldOf(plan, 'device', 'Mode') === 0 && codeOf(seen) === EVENT_CODES.ioPageFault && address >> BigInt(ADDRESS_BITS) > 0n
    return wide ? { where: address, records: [] } : undefined
  },
  reproduce: () => ({ plan: way('device', { fields: { Mode: 0 } }), probes: [probe('read', 1n << 60n)] }),
}

const silentMode: AmdDeviation = {
  id: 'amd-mode-7-silent',
  says: 'Mode 7: QEMU blocks and logs nothing; the specification has ILLEGAL_DEV_TABLE_ENTRY',
  answer: (seen) => (fieldOf(seen.plan, 'device', 'Mode') === 7 && codeOf(seen) === EVENT_CODES.illegalDevTableEntry ? SILENCE : undefined),
  reproduce: () => ({ plan: way('device', { fields: { Mode: 7 } }), probes: [probe('read')] }),
}

const silentBlock: AmdDeviation = {
  id: 'amd-tv-0-silent',
  series: LATER,
  says: 'V=1 with TV=0: QEMU blocks and logs nothing; the specification has an IO_PAGE_FAULT',
  answer: (seen) => (fieldOf(seen.plan, 'device', 'TV') === 0 && codeOf(seen) === EVENT_CODES.ioPageFault ? SILENCE : undefined),
  reproduce: () => ({ plan: way('device', { fields: { TV: 0 } }), probes: [probe('read')] }),
}

const unreadableTwice: AmdDeviation = {
  id: 'amd-unreadable-twice',
  series: LATER,
  says: 'a page table that cannot be read: QEMU logs an IO_PAGE_FAULT behind the PAGE_TAB_HARDWARE_ERROR',
  answer({ answer }) {
    const [record] = answer.records
    if (record?.code !== EVENT_CODES.pageTabHardwareError) return undefined
    return { ...answer, records: [record, { ...record, code: EVENT_CODES.ioPageFault, fields: {} }] }
  },
  reproduce: () => ({ plan: way('device', { fields: { HostPTRoot: NOWHERE } }), probes: [probe('read')] }),
}

const eventFields: AmdDeviation = {
  id: 'amd-event-fields',
  series: LATER,
  says: 'events: QEMU leaves the address and RW zero; the specification has the address of the request, and whether it was a write',
  answer: ({ answer }) => (answer.records.length === 0 ? undefined
    : { ...answer, records: answer.records.map((each) => ({ ...each, address: 0n, access: 'read' as const })) }),
  reproduce: () => ({ plan: onePage({}, { 1: { fields: { PR: 0 } } }), probes: [probe('write')] }),
}

const keptWithoutFault: AmdDeviation = {
  id: 'amd-kept-no-fault',
  series: LATER,
  says: 'an access that a cached translation does not permit is blocked without an event; the specification has an IO_PAGE_FAULT',
  answer: (seen) => (seen.answer.where === 'blocked' && isKept(seen) ? SILENCE : undefined),
  reproduce: () => ({ plan: onePage({}, { 1: { fields: { IW: 0 } } }), probes: [probe('read'), probe('write')] }),
}

export const deviations: readonly AmdDeviation[] = [
  ...before72,
  deviceTableSize, suppressed, guestFields, reservedUnchecked, modeZero, modeZeroWidth, leafAlone, silentMode, silentBlock, unreadableTwice,
  eventFields, keptWithoutFault,
  ...after72,
]
