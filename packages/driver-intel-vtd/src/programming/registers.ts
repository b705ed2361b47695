// The register side of programming: global commands, the sequence that switches a unit on, and what it says of faults.
import { decode, encode } from '@iommu/bits'
import type { Values } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import type { Machine } from '@iommu/hardware'
import { OFFSETS, faultStatus, globalCommand, globalStatus, queueAddress, rootTableAddress } from '../tables/index.js'

type FaultStatus = Values<(typeof faultStatus)['fields']>

export const readFaultStatus = ({ registers }: Machine): FaultStatus => decode(faultStatus, [BigInt(registers.read32(OFFSETS.FSTS))])

/** Clears flags that are cleared by writing 1. */
export const clearFaultStatus = ({ registers }: Machine, flags: Partial<FaultStatus>): void =>
  registers.write32(OFFSETS.FSTS, Number(encode(faultStatus, flags)[0]))

type Enable = 'TE' | 'QIE' | 'IRE' | 'EAFL' | 'CFI'
type Status = 'TES' | 'QIES' | 'RTPS' | 'WBFS'

/** Enables stay as they are: GCMD is written whole, so GSTS is read first and the one-shot bits are left out. */
const sticky = (machine: Machine): Partial<Record<Enable, number>> => {
  const s = decode(globalStatus, [BigInt(machine.registers.read32(OFFSETS.GSTS))])
  return { TE: s.TES, QIE: s.QIES, IRE: s.IRES, EAFL: s.AFLS, CFI: s.CFIS }
}

const isSet = (status: number, name: Status): boolean => decode(globalStatus, [BigInt(status)])[name] === 1

const command = (machine: Machine, fields: Partial<Record<Enable | 'SRTP' | 'WBF', number>>, waitFor: Status, until: boolean): void => {
  const [word] = encode(globalCommand, { ...sticky(machine), ...fields })
  machine.registers.write32(OFFSETS.GCMD, Number(word))
  const { done, value } = machine.registers.poll(() => machine.registers.read32(OFFSETS.GSTS), (each) => isSet(each, waitFor) === until)
  if (!done) throw new IommuError('ENODEV', `the unit does not acknowledge GCMD: GSTS.${waitFor} stays ${until ? 0 : 1}`, { gsts: value })
}

/** Points the unit to its root table; in force only after SRTP is acknowledged. */
export const setRootTable = (machine: Machine, rootTable: bigint, scalable: boolean): void => {
  const [word] = encode(rootTableAddress, { RTA: rootTable, TTM: scalable ? 1 : 0 })
  machine.registers.write64(OFFSETS.RTADDR, word as bigint)
  command(machine, { SRTP: 1 }, 'RTPS', true)
}

/** Switches queued invalidation on over a queue of one or more pages. 256-bit descriptors in scalable mode. */
export const enableQueue = (machine: Machine, base: bigint, sizeClass: number, scalable: boolean): void => {
  command(machine, { QIE: 0 }, 'QIES', false)
  machine.registers.write64(OFFSETS.IQT, 0n)
  const [word] = encode(queueAddress, { IQA: base, QS: sizeClass, DW: scalable ? 1 : 0 })
  machine.registers.write64(OFFSETS.IQA, word as bigint)
  command(machine, { QIE: 1 }, 'QIES', true)
}

export const enableTranslation = (machine: Machine): void => command(machine, { TE: 1 }, 'TES', true)

/** Pushes stores out of the unit's write buffer (CAP.RWBF). */
export const flushWriteBuffer = (machine: Machine): void => command(machine, { WBF: 1 }, 'WBFS', false)
