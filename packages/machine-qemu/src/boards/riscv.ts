// The RISC-V IOMMU on virt: on the system bus, and as a PCI function. It answers for PASIDs too: by registers, for any device.
import { decode, encode } from '@iommu/bits'
import { faultCauses, faultRecord } from '@iommu/driver-riscv/queues'
import { capability, OFFSETS, queueBase, translationRequest, translationResponse } from '@iommu/driver-riscv/registers'
import type { DmaRequest, Machine, Registers } from '@iommu/hardware'
import { accelerator } from './accelerator.js'
import type { Board, BoardFacts, FaultSource, PasidQuestions, RecordedFault } from './board.js'

const GIB = 1n << 30n
const RAM_BYTES = 8n * GIB
/** Where virt's RAM begins. */
const RAM = 2n * GIB

/** QEMU puts the unit on the system bus here; on real machines the device tree says where it is. */
const REGISTERS = 0x301_0000n
/** As a PCI function it is this one, and its registers are put above those of all devices. */
const FUNCTION = 0x18
const FUNCTION_REGISTERS = 0x5000_0000n
const RECORD_BYTES = 32
/** Transaction types of writes: untranslated and translated ones. */
const WRITES: readonly number[] = [3, 7]
/** Bits of iotval2 that need not be right: an offset into the page. Bits 1:0 are flags. */
const OFFSET_BITS = 0xffcn

const faultOf = (words: readonly bigint[]): RecordedFault => {
  const { CAUSE, TTYP, DID, PV, PID, PRIV, IOTVAL, IOTVAL2 } = decode(faultRecord, words)
  return {
    source: DID, address: IOTVAL, access: WRITES.includes(TTYP) ? 'write' : 'read', code: CAUSE, recorded: true,
    name: faultCauses.get(CAUSE)?.meaning ?? 'unknown',
    fields: { TTYP, IOTVAL2: IOTVAL2 & ~OFFSET_BITS, PV, ...(PV === 1 ? { PID, PRIV } : {}) },
  }
}

/** Takes every record of the queue that software has set up. */
const readFaults = ({ registers, memory }: FaultSource): readonly RecordedFault[] => {
  const { PPN, LOG2SZ } = decode(queueBase, [registers.read64(OFFSETS.fqb)])
  const faults: RecordedFault[] = []
  if (PPN === 0n) return faults
  const entries = 2 ** (LOG2SZ + 1)
  const tail = registers.read32(OFFSETS.fqt)
  let head = registers.read32(OFFSETS.fqh)
  if (head === tail) return faults
  for (; head !== tail; head = (head + 1) % entries) {
    const at = PPN + BigInt(head * RECORD_BYTES)
    faults.push(faultOf([0n, 8n, 16n, 24n].map((offset) => memory.load64(at + offset))))
  }
  registers.write32(OFFSETS.fqh, head)
  return faults
}

const PAGE_OFFSET = 0xfffn

/** Asks for a translation; undefined where it is refused. A write is asked for as a read and a write. */
const translate = (registers: Registers, { source, pasid, address, access, privileged, execute }: DmaRequest): bigint | undefined => {
  registers.write64(OFFSETS.tr_req_iova, address & ~PAGE_OFFSET)
  registers.write64(OFFSETS.tr_req_ctl, encode(translationRequest, {
    GO: 1, NW: access === 'read' ? 1 : 0, DID: source, ...(pasid === undefined ? {} : { PV: 1, PID: pasid }),
    PRIV: privileged === true ? 1 : 0, EXE: execute === true ? 1 : 0,
  })[0] as bigint)
  registers.poll(() => decode(translationRequest, [registers.read64(OFFSETS.tr_req_ctl)]).GO, (busy) => busy === 0)
  const { FAULT, PPN } = decode(translationResponse, [registers.read64(OFFSETS.tr_response)])
  return FAULT === 1 ? undefined : PPN + (address & PAGE_OFFSET)
}

const neverPoweredOn = (): readonly string[] => ['-global', 'rv64-riscv-cpu.start-powered-off=on']

/** 10.0 answers without the ten lowest bits of the page number. */
const pasids = ({ installation }: BoardFacts): PasidQuestions | undefined => (installation.series === '10.0' ? undefined : { bits: 8, translate })

/** On the system bus: device contexts of 64 bytes. */
export const riscv: Board = {
  name: 'riscv',
  emulator: 'qemu-system-riscv64',
  ramBytes: RAM_BYTES,
  ram: [{ start: RAM, bytes: RAM_BYTES, offset: 0n }],
  config: { window: 0x3000_0000n },
  // Away from the round addresses that tests map.
  windows: 0x7000_0000n,
  registers: REGISTERS,
  data: { start: RAM + 0x10_0000n, end: RAM + 0x100_0000n },
  tables: { start: RAM + 0x100_0000n, end: RAM + 0x300_0000n },
  // Pages, 64 KiB of them (NAPOT), and leaves of higher levels.
  pageShifts: [12, 16, 21, 30],
  pageNumberBit: 10,
  lacks: ({ installation, properties }) => (properties('riscv-iommu-pci').size > 0
    ? undefined : `QEMU ${installation.version} has no RISC-V IOMMU`),
  arguments: (facts) => ['-machine', 'virt,iommu-sys=on,aia=aplic-imsic,memory-backend=ram', '-bios', 'none', ...accelerator(facts, neverPoweredOn)],
  readFaults,
  pasids,
}

/** As a PCI function without interrupts of guests: device contexts of 32 bytes. */
export const riscvBase: Board = {
  ...riscv,
  name: 'riscv-base',
  registers: FUNCTION_REGISTERS,
  registersOf: FUNCTION,
  arguments: (facts) => [
    '-machine', 'virt,aia=aplic-imsic,memory-backend=ram', '-bios', 'none', ...accelerator(facts, neverPoweredOn),
    '-device', `riscv-iommu-pci,addr=${(FUNCTION >> 3).toString(16)}.0,intremap=off`,
  ],
}

/** The machine without process directories: a driver puts everything into device contexts, second stages too. */
export const withoutProcessDirectories = <M extends Machine>(machine: M): M => {
  const { registers } = machine
  const shown: Registers = {
    ...registers,
    read64(offset) {
      const word = registers.read64(offset)
      return offset === OFFSETS.capabilities ? encode(capability, { PD8: 0, PD17: 0, PD20: 0 }, [word])[0] as bigint : word
    },
  }
  return Object.create(machine, { registers: { value: shown } }) as M
}
