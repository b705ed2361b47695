// Where QEMU's VT-d does not do what the specification says.
import { decode } from '@iommu/bits'
import { firstStageEntry } from '@iommu/page-table'
import { pageAt } from '../addresses.js'
import { codeOf, SILENCE, withCode } from '../deviation.js'
import { fieldOf, setField } from '../plan.js'
import type { Tweak } from '../plan.js'
import { loudly, NOWHERE, onePage, otherCode, probe, recordedAnyway, way } from './deviation-parts.js'
import type { Mode, VtdDeviation, VtdSeen } from './deviation-parts.js'
import { shiftOf } from './generate.js'
import type { VtdPlan } from './plan.js'

/** An access that a kept translation does not allow: no second look at the tables, and so no fault. */
const keptWithoutFault: VtdDeviation = {
  id: 'vtd-kept-no-fault',
  says: 'an access that a cached translation does not permit is blocked without a fault record; the specification has one for every blocked access',
  answer({ plan, answer, probe: { address }, before }) {
    const page = pageAt(plan.pages, address, shiftOf)
    if (answer.where !== 'blocked' || page === undefined) return undefined
    return before.some((each) => pageAt(plan.pages, each.address, shiftOf) === page) ? SILENCE : undefined
  },
  reproduce: () => ({ plan: onePage('legacy', {}, { 1: { fields: { W: 0 } } }), probes: [probe('read'), probe('write')] }),
}

/** Codes with which a first-stage walk ends at an entry. */
const WALK_CODES: readonly (number | undefined)[] = [0x70, 0x71, 0x72, 0x81, 0x85]

/** QEMU's first-stage walk judges every entry as it comes by. */
const judgedOnTheWay: VtdDeviation = {
  id: 'vtd-first-stage-order',
  says: 'first stage: QEMU refuses an access at the first entry that does not permit it; the specification walks to the leaf first, and an entry on the way that is absent, wrong or unreadable is what faults',
  answer(seen) {
    const { answer, probe: { access }, steps } = seen
    if (!WALK_CODES.includes(codeOf(seen))) return undefined
    const entries = steps.filter(({ entry }) => entry === firstStageEntry.name).map(({ words }) => decode(firstStageEntry, words))
    const refusing = entries.find(({ P, US, RW }) => P === 1 && (US === 0 || (access === 'write' && RW === 0)))
    return refusing === undefined ? undefined : withCode(answer, refusing.US === 0 ? 0x81 : 0x85)
  },
  reproduce: () => ({ plan: onePage('first-stage', {}, { 4: { fields: { RW: 0 } }, 1: { fields: { P: 0 } } }), probes: [probe('write')] }),
}

/** Conditions LCT.3 and SCT.3 of section 7.1.3. VirtualBox's unit takes FPD before it looks at P or reserved bits. */
const RESERVED_ALOUD = 'QEMU records it although FPD is set, for lack of a line in its list of qualified faults; FPD silences every fault from its entry on'

/** QEMU looks at the type of a PASID entry before it looks at P. */
const typeBeforePresent = (mode: Mode): VtdDeviation => ({
  id: 'vtd-pasid-type-first',
  says: 'a PASID entry that is not present and has a type or width that the unit lacks: QEMU records 0x5b, the specification has 0x59 for what is not present',
  answer(seen) {
    if (codeOf(seen) !== 0x59) return undefined
    const present = seen.asIf(loudly(setField(seen.plan, 'pasid', 'P', 1)))
    return present.records[0]?.code === 0x5b ? withCode(seen.answer, 0x5b) : undefined
  },
  reproduce: () => ({ plan: onePage(mode, { way: { pasid: { fields: { P: 0, PGTT: 0 } } } }), probes: [probe('read')] }),
})

const passesThrough = ({ plan }: VtdSeen): boolean =>
  fieldOf(plan, 'context', 'TT') === 2 || fieldOf(plan, 'pasid', 'PGTT') === 4

const passThroughWidth = (mode: Mode): VtdDeviation => ({
  id: 'vtd-pass-through-width',
  says: 'pass-through: QEMU lets every address through; the specification bounds it by the address width of the entry or of the host',
  answer: (seen) => (passesThrough(seen) && [0x04, 0x83].includes(codeOf(seen) ?? 0) ? { where: seen.probe.address, records: [] } : undefined),
  reproduce: () => ({
    plan: onePage(mode, { levels: 3, way: mode === 'legacy' ? { context: { fields: { TT: 2 } } } : { pasid: { fields: { PGTT: 4 } } } }),
    probes: [probe('read', 1n << 50n)],
  }),
})

/** Entries whose reserved bits QEMU does not look at. */
const UNCHECKED = ['directory', 'pasid'] as const

const reservedUnchecked = (mode: Mode): readonly VtdDeviation[] => UNCHECKED.map((point): VtdDeviation => ({
  id: `vtd-${point}-reserved`,
  says: `reserved bits of a PASID ${point === 'directory' ? 'directory' : 'table'} entry: QEMU does not look at them; the specification has fault 0x${point === 'directory' ? '52' : '5a'}`,
  instead({ plan }) {
    const { flips = [], ...rest } = plan.way[point] ?? {}
    return flips.length === 0 ? undefined : { ...plan, way: { ...plan.way, [point]: rest } }
  },
  reproduce: () => ({ plan: onePage(mode, { way: { [point]: { flips: [point === 'directory' ? 2 : 10] } } }), probes: [probe('read')] }),
}))

const legacy: readonly VtdDeviation[] = [
  passThroughWidth('legacy'),
  recordedAnyway(
    'vtd-fpd-context-reserved', `a reserved bit in a context entry: ${RESERVED_ALOUD}`, [0x0b],
    way('legacy', 'context', { fields: { FPD: 1 }, flips: [4] }),
  ),
  keptWithoutFault,
]

/** Older QEMUs have one code for everything on the way to a PASID entry. */
const oneCodeForPasids = (mode: Mode): readonly VtdDeviation[] => ([
  ['directory-unreadable', 'PASID directory unreadable', 0x50, way(mode, 'context', { fields: { PASIDDIRPTR: NOWHERE } })],
  ['directory-absent', 'PASID directory entry not present', 0x51, way(mode, 'directory', { fields: { P: 0 } })],
  ['absent', 'PASID entry not present', 0x59, way(mode, 'pasid', { fields: { P: 0 } })],
  ['wrong', 'PASID entry programmed wrongly', 0x5b, way(mode, 'pasid', { fields: { PGTT: 0 } })],
] as const).map(([name, means, spec, plan]) => otherCode(`vtd-pasid-${name}`, { means, spec, qemu: 0x58, plan, series: ['7.2'] }))

const scalable = (mode: 'first-stage' | 'second-stage'): readonly VtdDeviation[] => [
  ...ridPasid(mode),
  ...reservedUnchecked(mode),
  passThroughWidth(mode),
  recordedAnyway(
    'vtd-sm-fpd-below', 'FPD in a PASID directory or table entry does not silence the faults of reaching that entry',
    [0x51, 0x59, 0x5b], way(mode, 'pasid', { fields: { FPD: 1, PGTT: 0 } }),
    { where: (plan) => fieldOf(plan, 'context', 'FPD') !== 1 },
  ),
  recordedAnyway(
    'vtd-sm-fpd-context', 'FPD in a context entry does not silence the faults of reaching a PASID entry',
    [0x51, 0x59, 0x5b], onePage(mode, { way: { context: { fields: { FPD: 1 } }, pasid: { fields: { PGTT: 0 } } } }), { series: ['7.2'] },
  ),
  recordedAnyway(
    'vtd-sm-fpd-context-reserved', `a reserved bit in a scalable-mode context entry: ${RESERVED_ALOUD}`, [0x42],
    way(mode, 'context', { fields: { FPD: 1 }, flips: [5] }),
  ),
  typeBeforePresent(mode),
  ...oneCodeForPasids(mode),
  otherCode('vtd-sm-root-absent', {
    means: 'scalable-mode root entry not present', spec: 0x39, qemu: 0x01,
    plan: way(mode, 'root', { fields: { LP: 0 } }),
  }),
  otherCode('vtd-sm-root-reserved', {
    means: 'reserved bit in a scalable-mode root entry', spec: 0x3a, qemu: 0x0a,
    plan: way(mode, 'root', { flips: [1] }),
  }),
  otherCode('vtd-sm-context-unreadable', {
    means: 'context table unreadable in scalable mode', spec: 0x40, qemu: 0x09,
    plan: way(mode, 'root', { fields: { LCTP: NOWHERE, UCTP: NOWHERE } }),
  }),
  otherCode('vtd-sm-context-absent', {
    means: 'scalable-mode context entry not present', spec: 0x41, qemu: 0x02,
    plan: way(mode, 'context', { fields: { P: 0 } }),
  }),
  otherCode('vtd-sm-context-reserved', {
    means: 'reserved bit in a scalable-mode context entry', spec: 0x42, qemu: 0x0b,
    plan: way(mode, 'context', { flips: [5] }),
  }),
]

const ridPasidOf = (plan: VtdPlan): number => Number(fieldOf(plan, 'context', 'RID_PASID') ?? 0)

const PASIDS_PER_TABLE = 64
const EMPTY: Tweak = { fields: { P: 0, AW: 0, DID: 0, PGTT: 0, SSPTPTR: 0n, FSPTPTR: 0n } }

/** ECAP.RPS is 0 in every version; what becomes of RID_PASID differs. */
const ridPasid = (mode: Mode): readonly VtdDeviation[] => {
  const plan = onePage(mode, { way: { context: { fields: { RID_PASID: 70 } } } })
  return [
    {
      id: 'vtd-rid-pasid-ignored',
      says: 'RID_PASID other than 0, where ECAP.RPS is 0: QEMU takes PASID 0 instead; the specification has fault 0x48',
      series: ['11.1'],
      instead({ plan: asked }) {
        const pasid = ridPasidOf(asked)
        if (pasid === 0) return undefined
        const without = setField(asked, 'context', 'RID_PASID', 0)
        // Nothing is where PASID 0 would be: its table, or only its entry, is empty.
        return { ...without, way: { ...without.way, ...(pasid < PASIDS_PER_TABLE ? { pasid: EMPTY } : { directory: { fields: { P: 0 } } }) } }
      },
      reproduce: () => ({ plan, probes: [probe('read')] }),
    },
    {
      id: 'vtd-rid-pasid-used',
      says: 'RID_PASID other than 0, where ECAP.RPS is 0: QEMU uses it; the specification has fault 0x48',
      series: ['10.0', '7.2'],
      instead: ({ plan: asked }) => (ridPasidOf(asked) === 0 ? undefined : setField(asked, 'context', 'RID_PASID', 0)),
      reproduce: () => ({ plan, probes: [probe('read')] }),
    },
  ]
}

/** What QEMU records when its walk of the page tables ends, in either mode. */
const WALK_ENDS: readonly number[] = [0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x70, 0x71, 0x72, 0x73, 0x80, 0x81, 0x85]

const pasidPresent = (mode: Mode): VtdDeviation => ({
  id: 'vtd-sm-pasid-present',
  says: 'faults of page walks in scalable mode: the record says that the request had a PASID (PP=1, PV=RID_PASID), which it had not',
  series: ['10.0', '7.2'],
  answer: ({ answer, original }) => (answer.records.some(({ code }) => WALK_ENDS.includes(code))
    ? { ...answer, records: answer.records.map((each) => ({ ...each, fields: { PP: 1, PV: ridPasidOf(original) } })) } : undefined),
  reproduce: () => ({ plan: onePage(mode), probes: [probe('read', 0x40_0000n)] }),
})

/** Before QEMU had a first stage it took every type that it walks for the second one. */
const typesAlike: VtdDeviation = {
  id: 'vtd-types-alike',
  says: 'PASID entries of type first stage or nested: QEMU walks second-stage tables for them; the specification has fault 0x5b where the unit lacks the type',
  series: ['7.2'],
  instead: ({ plan }) => ([1, 3].includes(Number(fieldOf(plan, 'pasid', 'PGTT'))) ? setField(plan, 'pasid', 'PGTT', 2) : undefined),
  reproduce: () => ({ plan: onePage('second-stage', { way: { pasid: { fields: { PGTT: 1 } } } }), probes: [probe('read')] }),
}

/** SNP, bit 11 of a second-stage leaf. */
const SNOOP_BIT = 11

/** ECAP.SC is one bit for both modes: Linux sets SNP only where it is 1, and VirtualBox's unit, which has none, reserves bit 11 in both. */
const snoopAccepted: VtdDeviation = {
  id: 'vtd-sm-snoop-bit',
  says: 'SNP in a second-stage leaf in scalable mode, where ECAP.SC is 0: QEMU accepts it in scalable mode whatever SC says; the specification reserves it where SC is 0',
  instead({ plan, probe: { address } }) {
    const page = pageAt(plan.pages, address, shiftOf)
    const tweak = page?.entries[page.level]
    if (page === undefined || tweak?.flips?.includes(SNOOP_BIT) !== true) return undefined
    const without = { ...page, entries: { ...page.entries, [page.level]: { ...tweak, flips: tweak.flips.filter((bit) => bit !== SNOOP_BIT) } } }
    return { ...plan, pages: plan.pages.map((each) => (each === page ? without : each)) }
  },
  reproduce: () => ({ plan: onePage('second-stage', {}, { 1: { flips: [SNOOP_BIT] } }), probes: [probe('read')] }),
}

const secondStage: readonly VtdDeviation[] = [
  snoopAccepted,
  ...(['read', 'write'] as const).map((access) => otherCode(`vtd-sm-second-stage-${access}`, {
    means: `second stage without permission to ${access}, or nothing mapped, in scalable mode`,
    spec: 0x79, qemu: access === 'read' ? 0x06 : 0x05, access,
    plan: onePage('second-stage', {}, { 1: { fields: { R: 0, W: 0 } } }),
  })),
  otherCode('vtd-sm-second-stage-reserved', {
    means: 'reserved bit in a second-stage entry in scalable mode', spec: 0x7a, qemu: 0x0c,
    plan: onePage('second-stage', {}, { 1: { flips: [51] } }),
  }),
  otherCode('vtd-sm-second-stage-unreadable', {
    means: 'second-stage table unreadable in scalable mode', spec: 0x78, qemu: 0x07,
    plan: onePage('second-stage', {}, { 2: { fields: { ADDR: NOWHERE } } }),
  }),
  otherCode('vtd-sm-second-stage-root', {
    means: 'second-stage root table unreadable in scalable mode', spec: 0x7b, qemu: 0x03,
    plan: way('second-stage', 'pasid', { fields: { SSPTPTR: NOWHERE } }),
  }),
  otherCode('vtd-sm-too-wide', {
    means: 'address above the width of the second stage in scalable mode', spec: 0x83, qemu: 0x04,
    plan: onePage('second-stage'), address: 1n << 48n,
  }),
]

export const deviations = (mode: Mode): readonly VtdDeviation[] => {
  switch (mode) {
    case 'legacy': return legacy
    case 'second-stage': return [typesAlike, ...scalable(mode), ...secondStage, pasidPresent(mode), keptWithoutFault]
    case 'first-stage': return [...scalable(mode), judgedOnTheWay, pasidPresent(mode), keptWithoutFault]
    default: return mode satisfies never
  }
}
