// Tegra30 SMMU: a group of clients is aimed at an ASID, and an ASID at a page directory.
import { decode } from '@iommu/bits'
import { declare } from '../manifest.js'
import {
  asidRegister, ASIDS, config, errorStatus, groupEnables, INTERRUPT_PAGE, LINE_BYTES, MATCH, pageDirectoryBase, ptcFlush,
  PTC_CONFIG_VALUE, REGISTERS, swgroupOf, SWGROUPS, tegraShape, TLB_CONFIG_VALUE, tlbFlush,
} from '../tables/tegra-smmu.js'
import type { Swgroup } from '../tables/tegra-smmu.js'
import { word } from '../tables/words.js'
import type { Planner } from './planner.js'
import { readBack, write } from './steps.js'
import type { Step, WriteStep } from './steps.js'

/** The address space in which nothing is mapped. */
const CLOSED = 0
const { CONFIG, ERR_ADR, ERR_STATUS, INTSTATUS, PTB_ASID, PTB_DATA, PTC_CONFIG, PTC_FLUSH, TLB_CONFIG, TLB_FLUSH } = REGISTERS

const setGroup = (group: Swgroup, values: { readonly ASID: number; readonly ENABLE: 0 | 1 }): WriteStep =>
  write({ name: `${group.toUpperCase()}_ASID`, offset: SWGROUPS[group], layout: asidRegister }, word(asidRegister, values))

const setClients = (group: Swgroup, on: boolean): WriteStep[] => groupEnables(group).map(({ offset, bits }) =>
  write({ name: `SMMU_CLIENTS_${(offset - 0x228) / 4}`, offset }, on ? bits : 0n, bits))

const flushLine = (address: bigint): WriteStep => write(PTC_FLUSH, word(ptcFlush, { BY_ADDRESS: 1, LINE: address & ~BigInt(LINE_BYTES - 1) }))
const flushLines = (): WriteStep => write(PTC_FLUSH, word(ptcFlush, {}))
const flushAsid = (ASID: number): WriteStep => write(TLB_FLUSH, word(tlbFlush, { ASID_MATCH: 1, ASID, MATCH: MATCH.all }))
const flushGroup = (ASID: number, iova: bigint): WriteStep =>
  write(TLB_FLUSH, word(tlbFlush, { ASID_MATCH: 1, ASID, MATCH: MATCH.group, VA: iova & ~0x3fffn }))

/** Names the page directory of an ASID. */
const setDirectory = (ASID: number, root: bigint): Step[] => [
  write(PTB_ASID, BigInt(ASID)), write(PTB_DATA, word(pageDirectoryBase, { R: 1, W: 1, NS: 1, PFN: root })),
]

const GROUP_BYTES = 0x4000n

const groupsOf = (start: bigint, end: bigint): bigint[] => {
  const all: bigint[] = []
  for (let at = start & ~(GROUP_BYTES - 1n); at <= end; at += GROUP_BYTES) all.push(at)
  return all
}

export const tegraSmmuPlanner: Planner = {
  manifest: declare({
    hardware: 'Tegra30 SMMU', blocked: true, identity: true, standInBlocks: true, format: tegraShape.name,
    hitless: [`${tegraShape.name}>${tegraShape.name}`],
    limits: { 'address spaces': 'four, of which one is kept empty to block by' },
  }),
  shape: tegraShape,
  ids: { what: 'address space', first: CLOSED + 1, limit: ASIDS },
  groupOf: swgroupOf,
  coherent: false,
  fixedBytes: 0,
  keepsAbsent: true,
  obstacle: (client) => (swgroupOf(client) === undefined ? { why: 'no group of clients has this client', values: { client } } : undefined),
  takeOver: ({ empty }) => [
    write(PTC_CONFIG, PTC_CONFIG_VALUE), write(TLB_CONFIG, TLB_CONFIG_VALUE), flushLines(), write(TLB_FLUSH, word(tlbFlush, {})),
    ...setDirectory(CLOSED, empty),
    ...(Object.keys(SWGROUPS) as Swgroup[]).flatMap((group) => [setGroup(group, { ASID: CLOSED, ENABLE: 1 }), ...setClients(group, true)]),
    write(CONFIG, word(config, { ENABLE: 1 })), readBack(CONFIG),
  ],
  open: (id, root) => [flushLines(), flushAsid(id), ...setDirectory(id, root), readBack(PTB_ASID)],
  close: (id, _root, { empty }) => [...setDirectory(id, empty), flushLines(), flushAsid(id), readBack(PTB_ASID)],
  aim(client, _from, to) {
    const group = swgroupOf(client) as Swgroup
    switch (to.at) {
      case 'blocked': return [setGroup(group, { ASID: CLOSED, ENABLE: 1 }), readBack(CONFIG)]
      case 'identity': return [setGroup(group, { ASID: CLOSED, ENABLE: 0 }), readBack(CONFIG)]
      case 'tables': return [setGroup(group, { ASID: to.id, ENABLE: 1 }), readBack(CONFIG)]
      default: return to satisfies never
    }
  },
  flush({ id, range, entries, tables }) {
    const lines = new Set(entries.map((address) => address & ~BigInt(LINE_BYTES - 1)))
    return [
      ...(range === undefined || tables ? [flushLines()] : [...lines].map(flushLine)),
      ...(range === undefined ? [flushAsid(id)] : groupsOf(range.start, range.end).map((at) => flushGroup(id, at))),
      readBack(PTB_ASID),
    ]
  },
  readFaults({ read }) {
    if ((read(INTSTATUS.offset) & BigInt(INTERRUPT_PAGE)) === 0n) return { faults: [], clear: [] }
    const { TYPE, WRITE, CLIENT, HIGH } = decode(errorStatus, [read(ERR_STATUS.offset)])
    return {
      faults: [{
        source: CLIENT, access: WRITE === 1 ? 'write' : 'read', code: TYPE, meaning: errorStatus.fields.TYPE.meanings?.[TYPE],
        address: (BigInt(HIGH) << 32n) + read(ERR_ADR.offset),
      }],
      clear: [write(INTSTATUS, BigInt(INTERRUPT_PAGE))],
    }
  },
}
