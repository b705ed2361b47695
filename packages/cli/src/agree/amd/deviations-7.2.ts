// Where the AMD-Vi of QEMU 7.2 does not do what the specification says, and later ones do, or do otherwise.
import { decode } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import { amdV1Entry } from '@iommu/page-table'
import { SILENCE } from '../deviation.js'
import { changeEntries, fieldOf, plainFields, plainTweak, setField } from '../plan.js'
import type { Answer, Probe } from '../subject.js'
import { GRANTS, isKept, onePage, probe, way } from './deviation-parts.js'
import type { AmdDeviation } from './deviation-parts.js'
import { build, widthOf } from './plan.js'
import type { AmdPage, AmdPlan } from './plan.js'

const series = ['7.2']

const validUnseen: AmdDeviation = {
  id: 'amd-tv-0-passes',
  says: 'V=1 with TV=0: QEMU lets pass what IR and IW grant; the specification blocks it',
  series,
  instead: ({ plan }) => {
    const valid = plainFields(plan, 'device', ['TV'])
    return valid === undefined ? undefined : setField(valid, 'device', 'Mode', 0)
  },
  reproduce: () => ({ plan: way('device', { fields: { TV: 0 } }), probes: [probe('read')] }),
}

/** Whether the tweak leaves anything of an entry. */
const isZero = (fields: Readonly<Record<string, number | bigint>>): boolean => fields['ADDR'] === 0n

const presentUnseen: AmdDeviation = {
  id: 'amd-leaf-present-ignored',
  says: 'PR of a leaf: QEMU looks at it in tables alone, and takes every leaf that is not zero; the specification has an IO_PAGE_FAULT where it is 0',
  series,
  instead: ({ plan }) => changeEntries<AmdPage, AmdPlan>(plan, ({ fields = {}, ...tweak }, level, page) =>
    (level === page.level && fields['PR'] === 0 && !isZero(fields) ? plainTweak({ ...tweak, fields }, ['PR']) : undefined)),
  reproduce: () => ({ plan: onePage({}, { 1: { fields: { PR: 0 } } }), probes: [probe('read')] }),
}

const keptPermissions: AmdDeviation = {
  id: 'amd-kept-leaf-permissions',
  says: 'permissions above the leaf: QEMU keeps those of the leaf alone, and grants by a cached translation what a table or the device table entry forbids',
  series,
  instead(seen) {
    if (!isKept(seen)) return undefined
    const device = plainFields(seen.plan, 'device', GRANTS)
    const tables = changeEntries<AmdPage, AmdPlan>(device ?? seen.plan, (tweak, level, page) =>
      (level > page.level && GRANTS.some((name) => tweak.fields?.[name] !== undefined) ? plainTweak(tweak, GRANTS) : undefined))
    return fieldOf(seen.plan, 'device', 'Mode') === 0 ? undefined : tables ?? device
  },
  reproduce: () => ({ plan: onePage({}, { 2: { fields: { IW: 0 } } }), probes: [probe('read'), probe('write')] }),
}

const withoutWidth: AmdDeviation = {
  id: 'amd-width-ignored',
  says: 'an address above the width of the host tables: QEMU leaves out the bits above; the specification has an IO_PAGE_FAULT',
  series,
  answer({ plan, probe: asked, asIf }) {
    const width = widthOf(plan.levels)
    const translates = ['V', 'Mode'].every((name) => fieldOf(plan, 'device', name) === undefined)
    if (!translates || asked.address >> BigInt(width) === 0n) return undefined
    return asIf(plan, { ...asked, address: BigInt.asUintN(width, asked.address) })
  },
  reproduce: () => ({ plan: onePage(), probes: [probe('read', (1n << 39n) + 0x20_0000n)] }),
}

/** The walk of QEMU 7.2, which goes on at whatever level an entry names. */
const followed = (plan: AmdPlan, { address, access }: Probe): Answer => {
  const { frames, tables } = build(plan)
  const inside = (shift: number): bigint => BigInt.asUintN(shift, address)
  let [table, level] = [tables, plan.levels]
  for (;;) {
    const index = Number((address >> BigInt(3 + 9 * level)) & 0x1ffn)
    // Behind a leaf that is taken for a table lies data, none of which grants anything.
    const word = frames.get(frameOf(table))?.[index] ?? 0n
    const { PR, NextLevel, ADDR, IR, IW } = decode(amdV1Entry, [word])
    if ((access === 'read' ? IR : IW) === 0) return SILENCE
    const shift = 12 + 9 * (level - 1)
    if (NextLevel === 0) return { where: (ADDR >> BigInt(shift) << BigInt(shift)) + inside(shift), records: [] }
    if (PR === 0) return SILENCE
    ;[table, level] = [ADDR, NextLevel]
  }
}

const levelsUnchecked: AmdDeviation = {
  id: 'amd-next-level-unchecked',
  says: 'NextLevel that is not below the level of its table: QEMU goes on at that level; the specification has an IO_PAGE_FAULT',
  series,
  answer: ({ plan, probe: asked }) => (plan.pages.some(({ entries }) => Object.values(entries).some(({ fields }) => Number(fields?.['NextLevel'] ?? 0) > 0))
    ? followed(plan, asked) : undefined),
  reproduce: () => ({ plan: onePage({}, { 2: { fields: { NextLevel: 3 } } }), probes: [probe('read')] }),
}

const noEvents: AmdDeviation = {
  id: 'amd-no-events',
  says: 'events: QEMU does not move the tail of the event log, so that none can be seen; the specification has an event for each',
  series,
  answer: ({ answer }) => (answer.records.length === 0 ? undefined : { ...answer, records: [] }),
  reproduce: () => ({ plan: onePage({}, { 2: { fields: { PR: 0 } } }), probes: [probe('read')] }),
}

/** What is overlooked before anything else is looked at. */
export const before72: readonly AmdDeviation[] = [validUnseen, presentUnseen, keptPermissions]
/** What becomes of an answer at last. */
export const after72: readonly AmdDeviation[] = [withoutWidth, levelsUnchecked, noEvents]
