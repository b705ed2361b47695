// The register side of programming: where tables and rings lie, and the order in which an IOMMU goes on.
import { decode, encode } from '@iommu/bits'
import type { Values } from '@iommu/bits'
import type { Machine } from '@iommu/hardware'
import { commandBufferBase, control, deviceTableBase, eventLogBase, OFFSETS, status } from '../tables/index.js'

/** Where a ring lies; its length is log2 of entries. */
interface RingPlace {
  readonly base: bigint
  readonly length: number
}

/** What an IOMMU goes by. The table's size is in pages of 4 KiB. */
export interface Places {
  readonly table: { readonly base: bigint; readonly pages: number }
  readonly commands: RingPlace
  readonly events: RingPlace
}

export const readStatus = ({ registers }: Machine): Values<(typeof status)['fields']> => decode(status, [registers.read64(OFFSETS.STATUS)])

type Switches = Partial<Record<'IommuEn' | 'CmdBufEn' | 'EvtLogEn' | 'GTEn' | 'Coherent', number>>

/** Sets some bits of the control register, and leaves the others. */
const setControl = ({ registers }: Machine, fields: Switches): void =>
  registers.write64(OFFSETS.CONTROL, encode(control, fields, [registers.read64(OFFSETS.CONTROL)])[0] as bigint)

const clearRing = ({ registers }: Machine, head: number, tail: number): void => {
  registers.write64(head, 0n)
  registers.write64(tail, 0n)
}

/** Everything but translation itself: the tables' places, both rings on, and guest translation where there is any. */
export const prepare = (machine: Machine, { table, commands, events }: Places, guest: boolean): void => {
  const { registers } = machine
  setControl(machine, { IommuEn: 0, CmdBufEn: 0, EvtLogEn: 0, GTEn: 0 })
  registers.write64(OFFSETS.DEVTAB_BASE, encode(deviceTableBase, { Base: table.base, Size: table.pages - 1 })[0] as bigint)
  registers.write64(OFFSETS.CMD_BASE, encode(commandBufferBase, { Base: commands.base, Len: commands.length })[0] as bigint)
  restartCommands(machine)
  registers.write64(OFFSETS.EVT_BASE, encode(eventLogBase, { Base: events.base, Len: events.length })[0] as bigint)
  restartEvents(machine)
  setControl(machine, { Coherent: 1, GTEn: guest ? 1 : 0 })
}

/** From now on the device table is in force. */
export const enableTranslation = (machine: Machine): void => setControl(machine, { IommuEn: 1 })

/** Begins the command buffer anew, from its first entry. */
export const restartCommands = (machine: Machine): void => {
  setControl(machine, { CmdBufEn: 0 })
  clearRing(machine, OFFSETS.CMD_HEAD, OFFSETS.CMD_TAIL)
  setControl(machine, { CmdBufEn: 1 })
}

/** Begins the event log anew: the way out of an overflow. */
export const restartEvents = (machine: Machine): void => {
  setControl(machine, { EvtLogEn: 0 })
  clearRing(machine, OFFSETS.EVT_HEAD, OFFSETS.EVT_TAIL)
  setControl(machine, { EvtLogEn: 1 })
}
