// What QEMU's RISC-V IOMMU overlooks: it takes the state as if that were not there.
import { changeEntries, fieldOf, plainFields, plainTweak, tweakWay } from '../plan.js'
import { changeAll, IOVA, onePage, probe, reads, way } from './deviation-parts.js'
import type { RiscvDeviation, Tried } from './deviation-parts.js'
import type { RiscvPage, RiscvPlan, WayPoint } from './plan.js'

/** Reserved bits of a device context that QEMU does not look at: of ta, of fsc, and of what the extended format adds. */
const UNCHECKED_BITS: readonly number[] = [128, 139, 160, 236, 251, 300, 372, 448]

const withoutFlips = (plan: RiscvPlan, point: WayPoint, bits: readonly number[]): RiscvPlan | undefined => {
  const { flips = [], ...rest } = plan.way[point] ?? {}
  const left = flips.filter((bit) => !bits.includes(bit))
  return left.length === flips.length ? undefined : tweakWay(plan, point, { ...rest, flips: left })
}

const uncheckedBits = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-context-unchecked-bits',
  says: 'reserved bits of a device context in ta, in fsc and beyond: QEMU does not look at them; the specification has a context that is programmed wrongly',
  instead: ({ plan }) => withoutFlips(plan, 'device', UNCHECKED_BITS),
  reproduce: () => reads(way(tried, 'device', { flips: [160] })),
})

const UNCHECKED_FIELDS = ['RCID', 'MCID'] as const
const uncheckedFields = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-context-unchecked-fields',
  says: 'RCID and MCID of a device context, without QOSID: QEMU does not look at them; the specification has a context that is programmed wrongly',
  instead: ({ plan }) => plainFields<RiscvPlan>(plan, 'device', UNCHECKED_FIELDS),
  reproduce: () => reads(way(tried, 'device', { fields: { RCID: 1 } })),
})

/** What says that hardware sets A and D of a stage, where there is no such stage. */
const updatesOfNone = (tried: Tried): RiscvDeviation => {
  const field = tried.kind === 'second' ? 'SADE' : 'GADE'
  return {
    id: 'riscv-update-of-no-stage',
    says: `${field} without the capability, where there is no such stage: QEMU does not look at it; the specification has a context that is programmed wrongly`,
    instead: ({ plan }) => plainFields<RiscvPlan>(plan, 'device', [field]),
    reproduce: () => reads(way(tried, 'device', { fields: { [field]: 1 } })),
  }
}

const interruptsOfNoGuest = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-interrupts-of-no-guest',
  says: 'an MSI page table without a second stage: QEMU does not look at it; the specification has a context that is programmed wrongly',
  instead: ({ plan }) => (fieldOf(plan, 'device', 'MSIPTP_MODE') === 1 ? plainFields<RiscvPlan>(plan, 'device', ['MSIPTP_MODE']) : undefined),
  reproduce: () => reads(way(tried, 'device', { fields: { MSIPTP_MODE: 1 } })),
})

const PROCESS_UNCHECKED_BITS: readonly number[] = [3, 11]
const uncheckedOfProcess = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-process-unchecked-bits',
  says: 'reserved bits 11:3 of a process context: QEMU does not look at them; the specification has a context that is programmed wrongly',
  instead: ({ plan }) => withoutFlips(plan, 'process', PROCESS_UNCHECKED_BITS),
  reproduce: () => reads(way(tried, 'process', { flips: [3] }, { pasid: 1 })),
})

const softwareBits = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-software-bits',
  says: 'bits 60:59 of an entry, which are software\'s where the capability says so: QEMU says so, and has a page fault all the same',
  instead: ({ plan }) => changeAll(plan, (tweak) => (tweak.fields?.['Svrsw60t59b'] === undefined ? undefined
    : { ...plainTweak(tweak, ['Svrsw60t59b']), fields: { ...tweak.fields, V: 0 } })),
  reproduce: () => reads(onePage(tried, {}, { 1: { fields: { Svrsw60t59b: 1 } } })),
})

const leafMemoryType = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-leaf-memory-type',
  says: 'PBMT in a leaf, without the capability: QEMU takes it for address bits, of which 2 says nothing in 64 bits; the specification has a page fault',
  instead: ({ plan }) => changeAll(plan, (tweak, level, page) =>
    (level === page.level && tweak.fields?.['PBMT'] !== undefined ? plainTweak(tweak, ['PBMT']) : undefined)),
  reproduce: () => reads(onePage(tried, {}, { 1: { fields: { PBMT: 2 } } })),
})

const userWithPid = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-user-with-pid',
  says: 'first-stage leaves with U=0 and a request with a PASID: QEMU does not look at U; the specification takes it for a user\'s, and has a page fault',
  instead: ({ plan, probe: { pasid } }) => (pasid === undefined ? undefined
    : changeEntries<RiscvPage, RiscvPlan>(plan, (tweak, level, page) =>
      (level === page.level && tweak.fields?.['U'] === 0 ? plainTweak(tweak, ['U']) : undefined))),
  reproduce: () => ({ plan: onePage(tried, { pasid: 1 }, { 1: { fields: { U: 0 } } }), probes: [probe('read', IOVA, 1)] }),
})

const POINTER_FIELDS = ['A', 'D', 'U', 'N'] as const
const pointerFlags = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-pointer-flags',
  says: 'A, D, U and N in an entry that points to a table: QEMU does not look at them; the specification has a page fault',
  instead: ({ plan }) => changeAll(plan, (tweak, level, page) =>
    (level > page.level && POINTER_FIELDS.some((name) => tweak.fields?.[name] !== undefined) ? plainTweak(tweak, POINTER_FIELDS) : undefined)),
  reproduce: () => reads(onePage(tried, {}, { 2: { fields: { A: 1 } } })),
})

/** In the order in which they are taken away. */
export const overlooked = (tried: Tried): readonly RiscvDeviation[] => {
  const { kind, extended } = tried
  return [
    uncheckedBits(tried), uncheckedFields(tried),
    ...(kind === 'nested' ? [] : [updatesOfNone(tried)]),
    ...(kind === 'first' && extended ? [interruptsOfNoGuest(tried)] : []),
    softwareBits(tried), leafMemoryType(tried), pointerFlags(tried),
    ...(kind === 'second' ? [] : [uncheckedOfProcess(tried), userWithPid(tried)]),
  ]
}
