// What happens to a DMA: the one routine, with choices where hardware may have kept a copy.
//
//   source ─▶ device entry ─▶ pass-through
import { recall } from '@iommu/hardware'
import type { DmaRequest, DmaSight, Outcome, PhysicalMemory, Translated } from '@iommu/hardware'
import { faultCodes } from '../tables/index.js'
import type { Caches } from './caches.js'
import { fetchDevice, Stopped } from './copies.js'
import type { DeviceCopy } from './copies.js'
import type { Profile } from './profile.js'
import type { UnitState } from './registers.js'

/** What the routine reads. */
export interface Hardware {
  readonly memory: Pick<PhysicalMemory, 'walker'>
  readonly state: Pick<UnitState, 'enabled' | 'table'>
  readonly caches: Caches
  readonly profile: Profile
}

/** How much of the hardware takes part in one look. */
export type Sight = DmaSight<never, Stopped>

/** Reads a device entry, or takes the kept copy. Only valid entries are kept. */
const deviceCopy = ({ memory, state, caches: { devices } }: Hardware, source: number, sight: Sight): DeviceCopy => {
  const kept = recall(devices, source, sight)
  if (kept !== undefined) return kept
  const read = fetchDevice(memory.walker, state.table, source, sight.steps)
  if (sight.fills) devices.keep(source, { source }, read)
  return read
}

const passes = ({ profile }: Hardware, address: bigint, tag: string): Translated => {
  if (address >> BigInt(profile.physicalBits) !== 0n) throw new Stopped(5)
  return { result: 'translated', address, tag, attributes: {}, permissions: { read: true, write: true }, pageSize: 4096n }
}

const unitAnswer = (hardware: Hardware, { source, pasid, kind, address }: DmaRequest, sight: Sight): Outcome => {
  if (!hardware.state.enabled) return passes(hardware, address, 'off')
  const { type } = deviceCopy(hardware, source, sight)
  if (pasid !== undefined) throw new Stopped(3)
  if (kind !== 'untranslated') throw new Stopped(4)
  switch (type) {
    case 'pass-through': return passes(hardware, address, 'pass-through')
    default: return type satisfies never
  }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (hardware: Hardware, request: DmaRequest, sight: Sight): Outcome => {
  try {
    return unitAnswer(hardware, request, sight)
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    sight.log?.(request, error)
    return { result: 'blocked', fault: { code: error.code, name: faultCodes.get(error.code) ?? 'unknown', recorded: true } }
  }
}
