// What each command names, by the tags that copies hold: for the buffer, which has the caches forget it, and for adversarial mode.
import { decode, decodeField, describe, renderLine } from '@iommu/bits'
import { dropOf, sizedRange } from '@iommu/hardware'
import type { Command, CommandEvent, Names } from '@iommu/hardware'
import { commandLayout, completionWait, invalidateDevtabEntry, invalidateIommuPages, invalidateIotlbPages, OPCODES } from '../tables/index.js'

type Words = readonly bigint[]

const devtabEntry = (words: Words): Names => {
  const { DeviceID } = decode(invalidateDevtabEntry, words)
  return { entry: (tag) => tag.cache === 'device' && tag.source === DeviceID }
}

const iommuPages = (words: Words): Names => {
  const { ADDR, S, GN, PASID, DomainID, PDE } = decode(invalidateIommuPages, words)
  const [space, pasid] = GN === 1 ? ['guest', PASID] : ['host', 0]
  return {
    pages: {
      under: (tag) => tag.space === space && tag.domain === DomainID && tag.pasid === pasid,
      range: sizedRange(ADDR, S === 1), leavesOnly: PDE === 0,
    },
  }
}

const iotlbPages = (words: Words): Names => {
  const { DeviceID, ADDR, S, GN, PASID } = decode(invalidateIotlbPages, words)
  return { device: { source: DeviceID, pasid: GN === 1 ? PASID : 0, range: sizedRange(ADDR, S === 1) } }
}

/** INVALIDATE_IOMMU_ALL. Device TLBs are not the unit's. */
const all = (): Names => ({ entry: () => true, pages: { under: () => true } })

/** By opcode. The others name nothing that is cached here. */
export const drops: Readonly<Record<number, { readonly kind: string; readonly names: (words: Words) => Names }>> = {
  [OPCODES.invalidateDevtabEntry]: { kind: 'device-entry', names: devtabEntry },
  [OPCODES.invalidateIommuPages]: { kind: 'pages', names: iommuPages },
  [OPCODES.invalidateIotlbPages]: { kind: 'device-tlb', names: iotlbPages },
  [OPCODES.invalidateIommuAll]: { kind: 'all', names: all },
}

/** A command of the buffer as adversarial mode knows them. `told`: whether the data of a wait has been written. */
export const commandOf = ({ words }: CommandEvent, told: (address: bigint, data: bigint) => boolean): Command | undefined => {
  const layout = commandLayout(words)
  if (layout === undefined) return undefined
  const text = renderLine(describe(layout, words))
  const opcode = decodeField(completionWait, words, 'Opcode')
  if (opcode === OPCODES.completionWait) {
    const d = decode(completionWait, words)
    return { text, kind: 'wait', completes: d.S === 1 && told(d.StoreAddress, d.Data), fences: d.F === 1 }
  }
  const found = drops[opcode]
  return found === undefined ? undefined : { text, kind: found.kind, drop: dropOf(found.names(words)), completes: false, fences: false }
}
