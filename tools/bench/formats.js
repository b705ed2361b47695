// The formats that are measured, and every other shape of table, so that nothing is measured that knows of only one.
import { createGather } from '@iommu/core'
import { PhysicalMemory } from '@iommu/hardware'
import {
  amdV1, amdV2, armStage1, armStage2, createPageTable, createWalkResult, firstStage, secondStage, svFirstStage, svSecondStage, walk,
} from '@iommu/page-table'

const RW = { read: true, write: true }
const x86 = { levels: 4, leafShifts: [12, 21, 30], addressBits: 46, noExecute: true }
const arm = { inputBits: 48, addressBits: 48 }
const sv = { levels: 4, physicalBits: 46 }
const granules = [[12, '4K'], [14, '16K'], [16, '64K']]

/** The peer's format. */
export const peerFormat = secondStage({ levels: 4, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })

/** All formats, each with a name for people. */
export const formats = [
  { name: 'VT-d second stage', format: peerFormat },
  { name: 'VT-d first stage', format: firstStage(x86) },
  { name: 'AMD v1', format: amdV1({ levels: 4, addressBits: 46 }) },
  { name: 'AMD v2', format: amdV2(x86) },
  ...granules.map(([granuleShift, name]) => ({ name: `Arm stage 1, ${name}`, format: armStage1({ ...arm, granuleShift }) })),
  ...granules.map(([granuleShift, name]) => ({ name: `Arm stage 2, ${name}`, format: armStage2({ ...arm, granuleShift }) })),
  { name: 'RISC-V Sv48', format: svFirstStage(sv) },
  { name: 'RISC-V Sv48x4', format: svSecondStage(sv) },
]

/** Uses every shape of table, in flat memory and in chunks, on all paths. */
export const warm = () => {
  const shapes = [
    ...formats.map(({ format }) => format),
    ...[3, 5].map((levels) => secondStage({ levels, leafShifts: [12, 21, 30], addressBits: 46, snoopControl: true })),
    firstStage({ ...x86, levels: 5 }),
    ...[3, 6].map((levels) => amdV1({ levels, addressBits: 46 })),
    ...[3, 5].map((levels) => svFirstStage({ ...sv, levels })),
  ]
  const result = createWalkResult()
  const gather = createGather()
  for (const [shape, flat] of shapes.flatMap((each) => [[each, true], [each, false]])) {
    const memory = new PhysicalMemory({ flat, bytes: 0x400_0000n })
    const table = createPageTable({ format: shape, memory })
    const page = 1n << BigInt(shape.granuleShift)
    const large = page << BigInt(shape.bitsPerLevel)
    for (let round = 0; round < 1000; round++) {
      const iova = BigInt(round * 5 % 4096) * page
      table.mapPages(iova, 0x10_0000_0000n, page, 1 + round % 7, RW)
      if (shape.levels > 1) table.mapPages(0x40_0000_0000n - large, 0n, large, 1, RW)
      walk(shape, memory.walker, table.rootFrame, (round << shape.granuleShift) | 0, 0, result)
      walk(shape, memory.walker, table.rootFrame, -0x20_0000, 0x3f, result)
      table.iovaToPhys(iova)
      if (round % 3 === 0) table.unmapPages(iova, page, 1 + round % 7, gather)
    }
    table.unmapPages(0n, page, 8192, gather)
    table.release(gather.freed)
    table.free()
  }
}
