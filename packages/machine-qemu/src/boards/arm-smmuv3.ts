// Arm SMMUv3 on virt: stage 1, and stage 2 where QEMU has it. The stream table is behind the one PCIe root complex.
import { decode, encode } from '@iommu/bits'
import { anyEvent, events } from '@iommu/driver-arm-smmuv3/queues'
import { OFFSETS, outputQueueIndex, queueBase } from '@iommu/driver-arm-smmuv3/registers'
import { accelerator } from './accelerator.js'
import type { Board, BoardFacts, FaultSource, RecordedFault } from './board.js'

const GIB = 1n << 30n
const RAM_BYTES = 8n * GIB
/** Where virt's RAM begins. */
const RAM = GIB

/** QEMU puts the unit here; on real machines the firmware's IORT table says where it is. */
const REGISTERS = 0x905_0000n
const EVENT_BYTES = 32

/** Fields that say more of an event than every record has. */
const DETAILS = ['S2', 'CLASS', 'FetchAddr', 'IPA', 'SSV', 'SSID', 'Stall'] as const

const faultOf = (words: readonly bigint[]): RecordedFault => {
  const { ID } = decode(anyEvent, words)
  const kind = events.get(ID)
  const layout = kind?.layout ?? anyEvent
  const said = decode(layout, words) as Readonly<Record<string, number | bigint | undefined>>
  const fields = Object.fromEntries(DETAILS.flatMap((name) => (said[name] === undefined ? [] : [[name, said[name]] as const])))
  return {
    // Events of a stream's configuration name neither address nor access.
    source: Number(said['SID']), address: BigInt(said['InputAddr'] ?? 0n), access: said['RnW'] === 0 ? 'write' : 'read',
    code: ID, recorded: true, name: kind?.name ?? 'unknown', fields,
  }
}

/** Takes every event of the queue that software has set up. */
const readFaults = ({ registers, memory }: FaultSource): readonly RecordedFault[] => {
  const { ADDR, LOG2SIZE } = decode(queueBase, [registers.read64(OFFSETS.EVENTQ_BASE)])
  const faults: RecordedFault[] = []
  if (ADDR === 0n) return faults
  const index = (offset: number): number => decode(outputQueueIndex, [BigInt(registers.read32(offset) >>> 0)]).INDEX
  const [size, produced] = [2 ** LOG2SIZE, index(OFFSETS.EVENTQ_PROD)]
  let consumed = index(OFFSETS.EVENTQ_CONS)
  if (consumed === produced) return faults
  for (; consumed !== produced; consumed = (consumed + 1) % (2 * size)) {
    const at = ADDR + BigInt((consumed % size) * EVENT_BYTES)
    faults.push(faultOf([0n, 8n, 16n, 24n].map((offset) => memory.load64(at + offset))))
  }
  registers.write32(OFFSETS.EVENTQ_CONS, Number(encode(outputQueueIndex, { INDEX: consumed })[0]))
  return faults
}

const neverPoweredOn = (): readonly string[] => ['-global', 'max-arm-cpu.start-powered-off=on']

/** Whether this QEMU's SMMU has a second stage. */
const hasStage2 = ({ properties }: BoardFacts): boolean => properties('arm-smmuv3').has('stage')

/** Every stage that this QEMU has. */
export const smmuv3: Board = {
  name: 'smmuv3',
  emulator: 'qemu-system-aarch64',
  ramBytes: RAM_BYTES,
  ram: [{ start: RAM, bytes: RAM_BYTES, offset: 0n }],
  config: { window: 0x40_1000_0000n },
  windows: 0x1000_0000n,
  registers: REGISTERS,
  data: { start: RAM + 0x10_0000n, end: RAM + 0x100_0000n },
  tables: { start: RAM + 0x100_0000n, end: RAM + 0x300_0000n },
  // Pages and blocks of 4, 16 and 64 KiB granules.
  pageShifts: [12, 14, 16, 21, 25, 29, 30],
  lacks: () => undefined,
  arguments: (facts) => ['-machine', 'virt,iommu=smmuv3,gic-version=3,memory-backend=ram', '-cpu', 'max', ...accelerator(facts, neverPoweredOn)],
  readFaults,
}

/** The same board, where it has a second stage. */
export const smmuv3Stage2: Board = {
  ...smmuv3,
  name: 'smmuv3-stage-2',
  lacks: (facts) => (hasStage2(facts) ? undefined : `QEMU ${facts.installation.version} has an SMMU of stage 1 alone`),
}
