// What each command names, as adversarial mode asks: by the tags that copies hold.
import { decode, decodeField, describe, renderLine } from '@iommu/bits'
import { dropsNothing } from '@iommu/hardware'
import type { Command, CommandEvent, Drop, Held } from '@iommu/hardware'
import { completionWait, invalidateDevtabEntry, invalidateIommuPages, invalidateIotlbPages, OPCODES } from '../tables/index.js'
import { commandLayout, pageRange } from './queue.js'

type Words = readonly bigint[]
type Place = Pick<Held<unknown>, 'first' | 'last'>

const meets = ([first, last]: readonly [number, number], held: Place): boolean => held.first <= last && held.last >= first

const devtabEntry = (words: Words): Drop => {
  const { DeviceID } = decode(invalidateDevtabEntry, words)
  return { ...dropsNothing, entry: (tag) => tag.cache === 'device' && tag.source === DeviceID }
}

const iommuPages = (words: Words): Drop => {
  const d = decode(invalidateIommuPages, words)
  const range = pageRange(d.ADDR, d.S === 1)
  const space = d.GN === 1 ? 'guest' : 'host'
  const pasid = d.GN === 1 ? d.PASID : 0
  return {
    ...dropsNothing,
    translation: (held) => held.tag.space === space && held.tag.domain === d.DomainID && held.tag.pasid === pasid
      && meets(range, held) && (d.PDE === 1 || held.kind === 'leaf'),
  }
}

const iotlbPages = (words: Words): Drop => {
  const d = decode(invalidateIotlbPages, words)
  const range = pageRange(d.ADDR, d.S === 1)
  const pasid = d.GN === 1 ? d.PASID : 0
  return { ...dropsNothing, device: (held) => held.tag.domain === d.DeviceID && held.tag.pasid === pasid && meets(range, held) }
}

/** INVALIDATE_IOMMU_ALL. Device TLBs are not the unit's. */
const all = (): Drop => ({ ...dropsNothing, entry: () => true, translation: () => true })

const drops: Readonly<Record<number, { readonly kind: string; readonly of: (words: Words) => Drop }>> = {
  [OPCODES.invalidateDevtabEntry]: { kind: 'device-entry', of: devtabEntry },
  [OPCODES.invalidateIommuPages]: { kind: 'pages', of: iommuPages },
  [OPCODES.invalidateIotlbPages]: { kind: 'device-tlb', of: iotlbPages },
  [OPCODES.invalidateIommuAll]: { kind: 'all', of: all },
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
  return found === undefined ? undefined : { text, kind: found.kind, drop: found.of(words), completes: false, fences: false }
}
