// Where QEMU's SMMUv3 does not do what the specification says.
import { EVENTS } from '@iommu/driver-arm-smmuv3/queues'
import { smmuv3 } from '@iommu/machine-qemu'
import { codeOf, SILENCE, withCode, withFields } from '../deviation.js'
import { changeEntries, fieldOf, plainFields, plainTweak, setField } from '../plan.js'
import type { Page } from '../plan.js'
import { aloud, entriesOf, isBlockForTable, isKept, lastRead, onePage, probe, UPPER_IOVA, way } from './deviation-parts.js'
import type { ArmDeviation, ArmSeen, Stage } from './deviation-parts.js'
import { after72, before72 } from './deviations-7.2.js'
import { BYPASS, NOWHERE } from './generate.js'
import { indexOf, OUTPUT_BITS, rootBitsOf, shiftOf, SPLIT } from './plan.js'
import type { ArmPlan } from './plan.js'

/** Series whose SMMU knows access flags and 64-bit addresses. */
const LATER = ['11.1', '10.0']

const contextsWithoutSubstreams: ArmDeviation = {
  id: 'smmu-contexts-without-ssids',
  says: 'S1CDMax, where IDR1.SSIDSIZE is 0: QEMU records C_BAD_STE for more contexts than one; the specification has nobody look at it (IHI 0070, 5.2)',
  instead: ({ plan }) => (Number(fieldOf(plan, 'stream', 'S1CDMax') ?? 0) > 0 ? setField(plan, 'stream', 'V', 0) : undefined),
  reproduce: () => ({ plan: way(1, 'stream', { fields: { S1CDMax: 1 } }), probes: [probe('read')] }),
}

/** QEMU takes a span for twice what it says. */
const doubledSpan: ArmDeviation = {
  id: 'smmu-span-doubled',
  says: 'Span of level 1 of the stream table: QEMU takes 2^Span entries, and records C_BAD_STE beyond them; the specification has 2^(Span-1), and C_BAD_STREAMID',
  instead({ plan }) {
    const span = Number(fieldOf(plan, 'level1', 'Span') ?? 0)
    return span > 0 && span <= SPLIT + 1 && indexOf(plan) < 2 ** span ? plainFields(plan, 'level1', ['Span']) : undefined
  },
  answer(seen) {
    const span = Number(fieldOf(seen.plan, 'level1', 'Span') ?? 0)
    return codeOf(seen) === EVENTS.C_BAD_STREAMID && span > 0 && span <= SPLIT + 1 ? withCode(seen.answer, EVENTS.C_BAD_STE) : undefined
  },
  reproduce: () => ({ plan: way(1, 'level1', { fields: { Span: SPLIT } }), probes: [probe('read')] }),
}

const reservedSpan: ArmDeviation = {
  id: 'smmu-span-reserved',
  says: 'Span above what SPLIT allows: QEMU takes it; the specification has no entries there, and C_BAD_STREAMID',
  series: ['10.0', '7.2'],
  instead: ({ plan }) => (Number(fieldOf(plan, 'level1', 'Span') ?? 0) > SPLIT + 1 ? plainFields(plan, 'level1', ['Span']) : undefined),
  reproduce: () => ({ plan: way(1, 'level1', { fields: { Span: 12 } }), probes: [probe('read')] }),
}

const contextFetch: ArmDeviation = {
  id: 'smmu-context-fetch-address',
  says: 'F_CD_FETCH: QEMU puts the address where other events have the input address; the specification has FetchAddr',
  answer: (seen) => (codeOf(seen) === EVENTS.F_CD_FETCH ? withFields(seen.answer, { FetchAddr: 0n }) : undefined),
  reproduce: () => ({ plan: way(1, 'stream', { fields: { S1ContextPtr: NOWHERE } }), probes: [probe('read')] }),
}

/** The address of the entry that QEMU reads behind a table address that is too wide. */
const readBehind = (seen: ArmSeen): bigint | undefined => {
  const { plan, probe: { address } } = seen
  const { last, level } = lastRead(seen)
  if (last === undefined || last.Table === 0 || level <= 1) return undefined
  const index = (address >> BigInt(shiftOf(plan, level - 1))) & ((1n << BigInt(plan.granule - 3)) - 1n)
  return last.OA + index * 8n
}

const tableTooWide = (stage: Stage): ArmDeviation => ({
  id: 'smmu-table-too-wide',
  says: 'a table whose address is wider than the output size: QEMU reads it, and records F_WALK_EABT where nothing is there; the specification has F_ADDR_SIZE',
  answer(seen) {
    const loud = aloud(seen)
    const at = loud.records[0]?.code === EVENTS.F_ADDR_SIZE ? readBehind(seen) : undefined
    if (at === undefined) return undefined
    return { ...loud, records: loud.records.map(({ fields: { SSV = 0, SSID = 0, Stall = 0, CLASS: _class, IPA: _ipa, ...fields }, ...each }) =>
      ({ ...each, code: EVENTS.F_WALK_EABT, fields: { ...fields, CLASS: stage === 1 ? 1 : 2, FetchAddr: at, SSV, SSID, Stall } })) }
  },
  reproduce: () => ({ plan: onePage(stage, {}, { 2: { fields: { OA: 1n << 44n } } }), probes: [probe('read')] }),
})

const blockAnywhere = (stage: Stage): ArmDeviation => ({
  id: 'smmu-block-anywhere',
  series: LATER,
  says: 'a block at a level that has none: QEMU takes it for one, whose access flag is 0 here; the specification takes it for invalid',
  answer(seen) {
    const { last, level } = lastRead(seen)
    const block = last?.Valid === 1 && last.Table === 0 && level > 1
    return block && codeOf(seen) === EVENTS.F_TRANSLATION ? withCode(seen.answer, EVENTS.F_ACCESS) : undefined
  },
  reproduce: () => ({ plan: onePage(stage, { inputBits: stage === 1 ? 48 : 44, levels: 4 }, { 4: { fields: { Table: 0 } } }), probes: [probe('read')] }),
})

const PRIVILEGE = ['AP', 'APTable'] as const
/** Without the bits that tell privileged accesses from others. */
const privileged: Readonly<Record<(typeof PRIVILEGE)[number], (value: number) => number>> = {
  AP: (value) => value | 1, APTable: (value) => value & 2,
}

const alwaysPrivileged: ArmDeviation = {
  id: 'smmu-privileged',
  says: 'pages and tables that forbid accesses without privilege: QEMU takes every request for privileged; devices here make requests without privilege',
  instead: ({ plan }) => changeEntries<Page, ArmPlan>(plan, (tweak, level, page) => {
    const name = isBlockForTable(tweak, level, page) ? 'AP' : PRIVILEGE.find((each) => tweak.fields?.[each] !== undefined)
    if (name === undefined) return undefined
    const value = Number(tweak.fields?.[name] ?? 0)
    const changed = privileged[name](value)
    return changed === value ? undefined : { ...plainTweak(tweak, [name]), fields: { ...tweak.fields, [name]: changed } }
  }),
  reproduce: () => ({ plan: onePage(1, {}, { 1: { fields: { AP: 0 } } }), probes: [probe('read')] }),
}

/** Faults that a walk ends with. */
const WALK_ENDS: readonly (number | undefined)[] = [EVENTS.F_TRANSLATION, EVENTS.F_ADDR_SIZE, EVENTS.F_ACCESS, EVENTS.F_WALK_EABT]
const READ_ONLY_BELOW = 2

const judgedOnTheWay: ArmDeviation = {
  id: 'smmu-table-permissions-first',
  says: 'APTable: QEMU refuses a write at the first table that forbids it; the specification walks to the leaf first, and an entry on the way that is absent or wrong is what faults',
  answer(seen) {
    const loud = aloud(seen)
    if (seen.probe.access === 'read' || !WALK_ENDS.includes(loud.records[0]?.code)) return undefined
    const refusing = entriesOf(seen).slice(0, -1).some(({ APTable }) => (APTable & READ_ONLY_BELOW) !== 0)
    if (!refusing || seen.answer.records.length === 0) return undefined
    return withFields(withCode(seen.answer, EVENTS.F_PERMISSION), { S2: 0, CLASS: 2 })
  },
  reproduce: () => ({ plan: onePage(1, {}, { 2: { fields: { APTable: 2 } }, 1: { fields: { Valid: 0 } } }), probes: [probe('write')] }),
}

const FLAG_UPDATES = ['S2HA', 'S2HD']

const flagUpdates: ArmDeviation = {
  id: 'smmu-stage-2-flags-ignored',
  says: 'S2HA and S2HD, where IDR0.HTTU is 0: QEMU does not look at them; the specification has C_BAD_STE',
  instead: ({ plan }) => plainFields(plan, 'stream', FLAG_UPDATES),
  reproduce: () => ({ plan: way(2, 'stream', { fields: { S2HA: 1 } }), probes: [probe('read')] }),
}

const TOP_BYTE = 0xffn << 56n

const topByteOfUpper: ArmDeviation = {
  id: 'smmu-tbi1-is-tbi0',
  series: LATER,
  says: 'TBI1: QEMU looks at TBI0 for both halves of the address space; the specification has one bit for each',
  instead: ({ plan }) => (fieldOf(plan, 'context', 'TBI1') === fieldOf(plan, 'context', 'TBI0') ? undefined
    : setField(plan, 'context', 'TBI1', fieldOf(plan, 'context', 'TBI0') ?? 0)),
  reproduce: () => ({
    plan: onePage(1, {
      upper: true, way: { context: { fields: { TBI1: 1 } } },
      pages: [{ iova: UPPER_IOVA, level: 1, target: smmuv3.data.start, entries: {} }],
    }),
    probes: [probe('read', UPPER_IOVA & ~TOP_BYTE)],
  }),
}

const oneRootTable: ArmDeviation = {
  id: 'smmu-stage-2-first-table',
  says: 'stage 2, tables side by side as the root: QEMU takes the first of them for each; the specification has up to 16',
  instead({ plan }) {
    const [own, first] = [rootBitsOf(plan), plan.granule - 3]
    if (own <= first) return undefined
    const each = BigInt(shiftOf(plan, plan.levels) + first)
    const pages = plan.pages.filter(({ iova }) => iova >> each === 0n)
    const tables = Array.from({ length: 2 ** (own - first) }, (_, index) => BigInt(index) << each)
    return { ...plan, pages: tables.flatMap((start) => pages.map((page) => ({ ...page, iova: start + page.iova }))) }
  },
  reproduce: () => {
    const plan = onePage(2, { inputBits: 40 })
    const pages = plan.pages.map((page) => ({ ...page, iova: (1n << 39n) + page.iova }))
    return { plan: { ...plan, pages }, probes: pages.map(({ iova }) => probe('read', iova)) }
  },
}

const oneRootTableUnreadable: ArmDeviation = {
  id: 'smmu-stage-2-first-table-address',
  says: 'stage 2, tables side by side as the root that cannot be read: the address that QEMU records is in the first of them',
  answer(seen) {
    const { plan, answer } = seen
    const own = 8n << BigInt(plan.granule - 3)
    if (rootBitsOf(plan) <= plan.granule - 3 || codeOf(seen) !== EVENTS.F_WALK_EABT || entriesOf(seen).length > 0) return undefined
    const root = BigInt(fieldOf(plan, 'stream', 'S2TTB') ?? 0)
    return withFields(answer, { FetchAddr: root + ((BigInt(answer.records[0]?.fields['FetchAddr'] ?? 0) - root) % own) })
  },
  reproduce: () => ({
    plan: onePage(2, { inputBits: 40, way: { stream: { fields: { S2TTB: NOWHERE } } } }), probes: [probe('read', 1n << 39n)],
  }),
}

const bypassUnchecked = (stage: Stage): ArmDeviation => ({
  id: 'smmu-bypass-input',
  says: 'bypass, an address wider than the output size: QEMU lets it go on, to where nothing is; the specification has F_ADDR_SIZE (IHI 0070, 3.4)',
  answer: (seen) => (fieldOf(seen.plan, 'stream', 'Config') === BYPASS && codeOf(seen) === EVENTS.F_ADDR_SIZE
    ? { where: seen.probe.address, records: [] } : undefined),
  reproduce: () => ({ plan: way(stage, 'stream', { fields: { Config: BYPASS } }), probes: [probe('read', 1n << BigInt(OUTPUT_BITS))] }),
})

const tooWideSilent: ArmDeviation = {
  id: 'smmu-stage-2-input',
  says: 'stage 2, an address wider than the output size: QEMU blocks and records nothing; the specification has F_ADDR_SIZE of stage 1 (IHI 0070, 3.4)',
  answer: (seen) => (seen.probe.address >> BigInt(OUTPUT_BITS) > 0n && codeOf(seen) === EVENTS.F_ADDR_SIZE ? SILENCE : undefined),
  reproduce: () => ({ plan: onePage(2), probes: [probe('read', 1n << BigInt(OUTPUT_BITS))] }),
}

const keptWithoutTables: ArmDeviation = {
  id: 'smmu-kept-leaf-permissions',
  says: 'APTable: QEMU keeps the permissions of the leaf alone, and grants an access by a cached translation that a table forbids',
  instead: (seen) => (!isKept(seen) ? undefined : changeEntries<Page, ArmPlan>(seen.plan, (tweak) =>
    (tweak.fields?.['APTable'] === undefined ? undefined : plainTweak(tweak, ['APTable'])))),
  reproduce: () => ({ plan: onePage(1, {}, { 2: { fields: { APTable: 2 } } }), probes: [probe('read'), probe('write')] }),
}

const keptSilently: ArmDeviation = {
  id: 'smmu-kept-no-fault',
  says: 'stage 2, an access that a cached translation does not permit is blocked without an event; the specification has F_PERMISSION',
  answer: (seen) => (isKept(seen) && codeOf(seen) === EVENTS.F_PERMISSION ? SILENCE : undefined),
  reproduce: () => ({ plan: onePage(2, {}, { 1: { fields: { S2AP: 1 } } }), probes: [probe('read'), probe('write')] }),
}

export const deviations = (stage: Stage): readonly ArmDeviation[] => [
  ...(stage === 1
    ? [
      ...before72, contextsWithoutSubstreams, doubledSpan, reservedSpan, contextFetch, topByteOfUpper, alwaysPrivileged, keptWithoutTables,
      judgedOnTheWay,
    ]
    : [flagUpdates, oneRootTable]),
  bypassUnchecked(stage),
  tableTooWide(stage),
  blockAnywhere(stage),
  ...(stage === 2 ? [oneRootTableUnreadable, tooWideSilent, keptSilently] : after72),
]
