// Where QEMU's RISC-V IOMMU does not do what the specification says: what it answers otherwise, and the whole list.
import { decode } from '@iommu/bits'
import { widthOfLevels } from '@iommu/driver-riscv/registers'
import { deviceContext } from '@iommu/driver-riscv/tables'
import { riscv } from '@iommu/machine-qemu'
import { riscvEntry } from '@iommu/page-table'
import { codeOf, SILENCE, withCode, withFields } from '../deviation.js'
import { changeEntries, fieldOf, plainTweak } from '../plan.js'
import {
  CAUSES, changeAll, FIRST_STAGE_FAULTS, GUEST_FAULTS, guestAddress, IOVA, isKept, lastEntry, onePage, PAGE, PAGE_FAULTS, PAGE_SHIFT, probe, reads,
  smallestLeaf, UNREADABLE, way,
} from './deviation-parts.js'
import type { RiscvDeviation, RiscvSeen, Tried } from './deviation-parts.js'
import { overlooked } from './deviations-overlooked.js'
import { NOWHERE } from './generate.js'
import type { RiscvPage, RiscvPlan } from './plan.js'

/** Whether a device context that is programmed wrongly has one of these values in a field. */
const isWrongBy = ({ plan, ...seen }: RiscvSeen, field: string, values: readonly number[]): boolean =>
  codeOf(seen) === CAUSES.programmedWrongly && values.includes(Number(fieldOf(plan, 'device', field) ?? 0))

/** Modes that stand for nothing, of those that are tried. */
const FIRST_STAGE_MODES: readonly number[] = [11]
/** Those that QEMU finds wrong only when it comes to the stage. */
const LATE_MODES: readonly number[] = [4, 7, 11]
const SECOND_STAGE_MODES: readonly number[] = [1, 7, 11]
const DIRECTORY_MODES: readonly number[] = [4, 7, 11]

const unknownMode = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-first-stage-mode',
  says: 'a first-stage mode that is not known: QEMU records a device context that is not valid; the specification has one that is programmed wrongly',
  answer: (seen) => (seen.plan.pasid === undefined && seen.probe.pasid === undefined && isWrongBy(seen, 'FSC_MODE', FIRST_STAGE_MODES)
    ? withCode(seen.answer, CAUSES.notValid) : undefined),
  reproduce: () => reads(way(tried, 'device', { fields: { FSC_MODE: 11 } })),
})

const unknownSecondStage = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-second-stage-mode',
  says: 'a second-stage mode that is not known, with process contexts: QEMU records that the process context cannot be read; the specification has a '
    + 'device context that is programmed wrongly',
  answer: (seen) => (seen.plan.pasid !== undefined && isWrongBy(seen, 'IOHGATP_MODE', SECOND_STAGE_MODES)
    ? withCode(seen.answer, CAUSES.processUnreadable) : undefined),
  reproduce: () => reads(way(tried, 'device', { fields: { IOHGATP_MODE: 1 } }, { pasid: 1 })),
})

const unknownDirectory = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-process-directory-mode',
  says: 'a process directory mode that is not known: QEMU records a process context that is programmed wrongly; the specification has the device context',
  answer: (seen) => (seen.plan.pasid !== undefined && isWrongBy(seen, 'FSC_MODE', DIRECTORY_MODES)
    ? withCode(seen.answer, CAUSES.processWrong) : undefined),
  reproduce: () => reads(way(tried, 'device', { fields: { FSC_MODE: 4 } }, { pasid: 1 })),
})

const SECOND_STAGE_FAULTS = [...UNREADABLE, ...GUEST_FAULTS]
const processUnreachable = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-process-context-unreachable',
  says: 'a second stage that refuses the address of a process context: QEMU records that the context cannot be read; the specification has what the '
    + 'second stage meets',
  answer: (seen) => (seen.plan.pasid !== undefined && SECOND_STAGE_FAULTS.includes(codeOf(seen) ?? 0)
    && seen.steps.at(-1)?.entry === deviceContext.name ? withFields(withCode(seen.answer, CAUSES.processUnreadable), { IOTVAL2: 0n }) : undefined),
  reproduce: () => reads(way(tried, 'device', { fields: { IOHGATP_PPN: NOWHERE } }, { pasid: 1 })),
})

const IMPLICIT = 3n
const implicitFlag = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-iotval2-implicit',
  says: 'bit 0 of iotval2, a fault of the second stage met while a guest\'s table is read: QEMU does not set it',
  answer(seen) {
    const said = seen.answer.records[0]?.fields['IOTVAL2']
    return typeof said === 'bigint' && (said & IMPLICIT) !== 0n ? withFields(seen.answer, { IOTVAL2: said & ~IMPLICIT }) : undefined
  },
  reproduce: () => reads(way(tried, 'device', { fields: { FSC_PPN: 0x1000n } })),
})

const unreadableGuest = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-iotval2-unreadable',
  says: 'a second stage\'s table that cannot be read: QEMU records the guest address; the specification has it in iotval2 of guest page faults alone',
  answer(seen) {
    const guest = UNREADABLE.includes(codeOf(seen) ?? 0) ? guestAddress(seen) : undefined
    return guest === undefined ? undefined : withFields(seen.answer, { IOTVAL2: guest & PAGE })
  },
  reproduce: () => {
    const plan = onePage(tried)
    return reads({ ...plan, guests: (plan.guests ?? []).map((each) => ({ ...each, entries: { 2: { fields: { PPN: NOWHERE } } } })) })
  },
})

const tooWide = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-guest-address-too-wide',
  says: 'a guest address that is wider than the second stage: QEMU records no guest address; the specification has it in iotval2',
  answer(seen) {
    const { plan: { second, guests }, answer, probe: { address } } = seen
    const wide = second !== undefined && guests === undefined && address >> BigInt(widthOfLevels(second, true)) !== 0n
    return wide && answer.records.length > 0 ? withFields(answer, { IOTVAL2: 0n }) : undefined
  },
  reproduce: () => ({ plan: onePage(tried), probes: [probe('read', 1n << 50n)] }),
})

const MEMORY_TYPE = 'PBMT in an entry that points to a table: QEMU takes it for address bits, where nothing can be read; the specification has a page fault'

/** Tables of the first stage under a second one lie at guest addresses: nothing is there for the second stage. */
const pointerMemoryTypeOfGuest = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-guest-pointer-memory-type',
  says: MEMORY_TYPE,
  answer(seen) {
    const { V, R, W, X, PBMT } = decode(riscvEntry, [lastEntry(seen) ?? 0n])
    const code = codeOf(seen) ?? 0
    return V === 1 && R + W + X === 0 && PBMT !== 0 && FIRST_STAGE_FAULTS.includes(code)
      ? withFields(withCode(seen.answer, code === 13 ? 21 : 23), { IOTVAL2: 0n }) : undefined
  },
  reproduce: () => reads(onePage(tried, {}, { 2: { fields: { PBMT: 1 } } })),
})

const pointerMemoryType = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-pointer-memory-type',
  says: MEMORY_TYPE,
  instead({ plan }) {
    const change = (pages: readonly RiscvPage[]): readonly RiscvPage[] | undefined =>
      changeEntries<RiscvPage, RiscvPlan>({ ...plan, pages }, (tweak, level, page) => (level > page.level && tweak.fields?.['PBMT'] === 1
        ? { ...plainTweak(tweak, ['PBMT']), fields: { ...plainTweak(tweak, ['PBMT']).fields, PPN: NOWHERE } } : undefined))?.pages
    const { guests } = plan
    if (guests === undefined) {
      const pages = change(plan.pages)
      return pages && { ...plan, pages }
    }
    const changed = change(guests)
    return changed && { ...plan, guests: changed }
  },
  reproduce() {
    const plan = onePage(tried)
    const pointing = (pages: readonly RiscvPage[]): RiscvPage[] => pages.map((page) => ({ ...page, entries: { 2: { fields: { PBMT: 1 } } } }))
    return reads(plan.guests === undefined ? { ...plan, pages: pointing(plan.pages) } : { ...plan, guests: pointing(plan.guests) })
  },
})

const addressAsGuest = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-iotval2',
  says: 'iotval2 of a fault that a walk of the first stage ends with: QEMU puts the device address there; the specification has 0',
  answer: (seen) => (FIRST_STAGE_FAULTS.includes(codeOf(seen) ?? 0) && lastEntry(seen) !== undefined
    ? withFields(seen.answer, { IOTVAL2: (seen.answer.records[0]?.address ?? 0n) & PAGE }) : undefined),
  reproduce: () => reads(onePage(tried, {}, { 1: { fields: { V: 0 } } })),
})

/** What QEMU finds wrong in a device context only when it comes to the stages. */
const isFoundLate = (seen: RiscvSeen): boolean =>
  isWrongBy(seen, 'SADE', [1]) || isWrongBy(seen, 'GADE', [1])
  || isWrongBy(seen, 'IOHGATP_MODE', SECOND_STAGE_MODES) || isWrongBy(seen, 'FSC_MODE', LATE_MODES)

const isOfStages = (seen: RiscvSeen): boolean => (codeOf(seen) ?? CAUSES.firstOfContexts) < CAUSES.firstOfContexts || isFoundLate(seen)

const defaultPid = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-default-pid',
  says: 'a fault of a stage met by a request without PASID that DPE makes one of PASID 0: QEMU records PASID 0; the specification records none',
  answer: (seen) => (seen.plan.pasid !== undefined && seen.probe.pasid === undefined && isOfStages(seen)
    ? withFields(seen.answer, { PV: 1, PID: 0, PRIV: 0 }) : undefined),
  reproduce: () => reads(onePage(tried, { pasid: 1 }, { 1: { fields: { V: 0 } } })),
})

const pidFirst = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-pid-first',
  says: 'a request with a PASID, no process contexts, and a stage that is programmed wrongly: QEMU refuses the PASID first; the specification the context',
  answer: (seen) => (seen.plan.pasid === undefined && seen.probe.pasid !== undefined && isFoundLate(seen)
    ? withCode(seen.answer, CAUSES.notAllowed) : undefined),
  reproduce: () => ({ plan: way(tried, 'device', { fields: { [tried.kind === 'second' ? 'GADE' : 'SADE']: 1 } }), probes: [probe('read', IOVA, 1)] }),
})

const READ_TYPE = 2
const questionIsRead = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-question-as-read',
  says: 'a question about a write that is refused before the stages: QEMU records a read; it is taken here for a write, which it asks for besides reading',
  answer(seen) {
    const { answer, probe: { pasid, access } } = seen
    if (pasid === undefined || access === 'read' || answer.records.length === 0 || isOfStages(seen)) return undefined
    const { where, records } = withFields(answer, { TTYP: READ_TYPE })
    return { where, records: records.map((each) => ({ ...each, access: 'read' })) }
  },
  reproduce: () => ({ plan: way(tried, 'device', { fields: { V: 0 } }), probes: [probe('write', IOVA, 1)] }),
})

const keptSilently = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-kept-no-fault',
  says: 'an access that a cached translation does not permit is blocked without a record; the specification has a page fault',
  answer: (seen) => (seen.probe.pasid === undefined && isKept(seen) && PAGE_FAULTS.includes(codeOf(seen) ?? 0) ? SILENCE : undefined),
  reproduce: () => ({ plan: onePage(tried, {}, { 1: { fields: { W: 0, D: 0 } } }), probes: [probe('read'), probe('write')] }),
})

const keptDirty = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-kept-dirty',
  says: 'a write to a page whose D is 0, after a read: QEMU grants it by the cached translation; the specification has a page fault',
  answer(seen) {
    const { plan, probe: { pasid, access } } = seen
    if (pasid !== undefined || access === 'read' || seen.answer.where !== 'blocked' || !isKept(seen)) return undefined
    const dirty = changeAll(plan, (tweak) => (tweak.fields?.['D'] === 0 ? plainTweak(tweak, ['D']) : undefined))
    const answer = dirty && seen.asIf(dirty)
    return answer?.where === 'blocked' ? undefined : answer
  },
  reproduce: () => ({ plan: onePage(tried, {}, { 1: { fields: { D: 0 } } }), probes: [probe('read'), probe('write')] }),
})

const keptGrants = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-question-kept-permissions',
  says: 'a question about a write to a page whose translation is cached: QEMU grants it; the specification has a page fault where the page forbids it',
  answer(seen) {
    const { plan, probe: { pasid, access }, answer: { where } } = seen
    if (pasid === undefined || access === 'read' || where !== 'blocked' || !isKept(seen)) return undefined
    const answer = seen.asIf(plan, { ...seen.probe, access: 'read' })
    return answer.where === 'blocked' ? undefined : answer
  },
  reproduce: () => ({
    plan: onePage(tried, { pasid: 1 }, { 1: { fields: { W: 0, D: 0 } } }), probes: [probe('read'), probe('write', IOVA, 1)],
  }),
})

/** One page of 2 MiB, with process contexts. */
const twoMegabytes = (tried: Tried): RiscvPlan => {
  const page = { iova: IOVA, level: 2, target: riscv.data.start & ~0x1f_ffffn, entries: {} }
  return onePage(tried, { pasid: 1, pages: [page], ...(tried.kind === 'nested' ? { guests: [{ ...page, iova: page.target }] } : {}) })
}

const responseBase = (tried: Tried): RiscvDeviation => ({
  id: 'riscv-response-base',
  says: 'the answer about a page of more than 4 KiB: QEMU names its beginning, and no size; the specification has the size, or the 4 KiB asked for',
  answer(seen) {
    const { answer: { where }, probe: { pasid } } = seen
    if (pasid === undefined || where === 'blocked' || isKept(seen)) return undefined
    const shift = smallestLeaf(seen)
    return shift === PAGE_SHIFT ? undefined : { where: (where >> shift) << shift, records: [] }
  },
  reproduce: () => ({
    plan: twoMegabytes(tried), probes: [probe('read', IOVA + 0x3000n, 1)],
  }),
})

/** What QEMU overlooks comes first: everything else is what it makes of what it sees. */
export const deviations = (tried: Tried): readonly RiscvDeviation[] => {
  const { kind } = tried
  return [
    ...overlooked(tried),
    pointerMemoryType(tried),
    unknownMode(tried),
    ...(kind === 'nested' ? [processUnreachable(tried), implicitFlag(tried), unreadableGuest(tried), pointerMemoryTypeOfGuest(tried)] : []),
    ...(kind === 'second' ? [tooWide(tried)] : [
      unknownSecondStage(tried), unknownDirectory(tried), addressAsGuest(tried), defaultPid(tried), keptGrants(tried),
      responseBase(tried),
    ]),
    pidFirst(tried), questionIsRead(tried), keptDirty(tried), keptSilently(tried),
  ]
}
