// AMD-Vi on q35, host tables. QEMU advertises guest tables and walks none.
import { decode, encode } from '@iommu/bits'
import { EVENT_CODES, events, ioPageFaultEvent } from '@iommu/driver-amd-vi/queues'
import { capabilityHeader, eventLogBase, extendedFeatures, OFFSETS, ringPointer } from '@iommu/driver-amd-vi/registers'
import type { Machine } from '@iommu/hardware'
import type { QemuMachine } from '../machine.js'
import type { Board, FaultSource, RecordedFault } from './board.js'
import { platform, x86 } from './x86.js'

/** QEMU puts the unit here, enabled or not; on real machines the capability block says where it is. */
const REGISTERS = 0xfed8_0000n
const EVENT_BYTES = 16
/** Base class and subclass of an IOMMU in configuration space. */
const IOMMU_CLASS = 0x0806
const CLASS_REGISTER = 0x08
const CAPABILITIES_REGISTER = 0x34
const CAPABILITY_ID = 0x0f
/** The one series without the switch that translates nevertheless. */
const ALWAYS_TRANSLATES = '7.2'

/**
 * Takes every event of the log that software has set up. Of QEMU's records only the code and the access can be used:
 * the address and the domain are always 0, and the flags have another meaning.
 */
const readFaults = ({ registers, memory }: FaultSource): readonly RecordedFault[] => {
  const { Base, Len } = decode(eventLogBase, [registers.read64(OFFSETS.EVT_BASE)])
  const bytes = EVENT_BYTES * 2 ** Len
  const offset = (register: number): number => decode(ringPointer, [registers.read64(register)]).Offset * EVENT_BYTES
  const faults: RecordedFault[] = []
  if (Base === 0n) return faults
  const tail = offset(OFFSETS.EVT_TAIL)
  let head = offset(OFFSETS.EVT_HEAD)
  for (; head !== tail; head = (head + EVENT_BYTES) % bytes) {
    const at = Base + BigInt(head)
    const words = [memory.load64(at), memory.load64(at + 8n)]
    const { Code, DeviceID, ADDR, RW } = decode(ioPageFaultEvent, words)
    faults.push({
      source: DeviceID, address: ADDR, access: RW === 1 ? 'write' : 'read', code: Code, recorded: true,
      name: events.get(Code)?.meaning ?? 'unknown', fields: Code === EVENT_CODES.ioPageFault ? {} : { Code },
    })
  }
  registers.write64(OFFSETS.EVT_HEAD, encode(ringPointer, { Offset: tail / EVENT_BYTES })[0] as bigint)
  return faults
}

export const amdVi: Board = {
  ...x86,
  name: 'amd-vi',
  registers: REGISTERS,
  lacks: ({ installation, properties }) => (properties('amd-iommu').has('dma-remap') || installation.series === ALWAYS_TRANSLATES
    ? undefined : `QEMU ${installation.version} does not translate DMA by amd-iommu`),
  arguments: (facts, folder) => [
    ...platform(facts, folder), '-device', facts.properties('amd-iommu').has('dma-remap') ? 'amd-iommu,dma-remap=on' : 'amd-iommu',
  ],
  // Every power of two.
  pageShifts: Array.from({ length: 19 }, (_, at) => 12 + at),
  readFaults,
}

/** The capability header of the IOMMU's own PCI function, as firmware would find it. Throws RangeError where there is none. */
export const amdCapabilityHeader = (machine: QemuMachine): number => {
  for (let source = 0; source < 0x100; source += 8) {
    if (machine.readConfig(source, CLASS_REGISTER) >>> 16 !== IOMMU_CLASS) continue
    let at = machine.readConfig(source, CAPABILITIES_REGISTER) & 0xff
    while (at !== 0) {
      const header = machine.readConfig(source, at)
      const { CapId, CapPtr } = decode(capabilityHeader, [BigInt(header)])
      if (CapId === CAPABILITY_ID) return header
      at = CapPtr
    }
  }
  throw new RangeError('there is no PCI function of an IOMMU on bus 0')
}

/** The machine as its features are: without the guest tables that QEMU advertises and does not walk. */
export const withoutGuestTables = <M extends Machine>(machine: M): M => {
  const { registers } = machine
  const shown: Machine['registers'] = {
    ...registers,
    read64(offset) {
      const word = registers.read64(offset)
      return offset === OFFSETS.EFR ? encode(extendedFeatures, { GTSup: 0 }, [word])[0] as bigint : word
    },
  }
  return Object.create(machine, { registers: { value: shown } }) as M
}
