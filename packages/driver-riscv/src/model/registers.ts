// The register window: what writes start, and what reads report.
import { decode, encode } from '@iommu/bits'
import type { RegisterDevice } from '@iommu/hardware'
import { commandQueueStatus, directoryPointer, DIRECTORY_POINTER_MODES, faultQueueStatus, OFFSETS, queueBase } from '../tables/index.js'
import type { DirectoryLevels } from '../tables/index.js'
import type { FaultQueueState } from './fault-log.js'
import type { QueueState } from './queue.js'
import type { DirectoryState } from './translate.js'

/** What the registers switch. */
export interface UnitState {
  directory: DirectoryState
  readonly queue: QueueState
  readonly faults: FaultQueueState
  readonly plain: Map<number, bigint>
}

const mask32 = 0xffff_ffffn
const flag = (on: boolean): number => (on ? 1 : 0)

const modes: Readonly<Record<number, DirectoryState['mode']>> = { 0: 'off', 1: 'bare', 2: 1, 3: 2, 4: 3 }

/** `deepest`: the deepest directory that the unit takes; deeper ones are not accepted. */
export const createRegisterDevice = (
  capabilities: bigint, deepest: DirectoryLevels, state: UnitState, runQueue: () => void,
): RegisterDevice => {
  const { queue, faults, plain } = state
  const setDirectory = (value: bigint): void => {
    const { MODE, PPN } = decode(directoryPointer, [value])
    const mode = modes[MODE]
    const now = state.directory.mode
    if (mode === undefined || (typeof mode === 'number' && mode > deepest)) return
    // From one directory to another depth, or to BARE, is for software to do through OFF; here it is not accepted.
    if (typeof now === 'number' && mode !== 'off' && mode !== now) return
    state.directory = { mode, root: PPN }
  }
  const directory = (): bigint => {
    const { mode, root } = state.directory
    const { off, bare } = DIRECTORY_POINTER_MODES
    return encode(directoryPointer, { MODE: mode === 'off' ? off : mode === 'bare' ? bare : mode + 1, PPN: root })[0] as bigint
  }
  const setQueue = (target: { base: bigint; entries: number }, value: bigint): void => {
    const { LOG2SZ, PPN } = decode(queueBase, [value])
    target.base = PPN
    target.entries = 2 ** (LOG2SZ + 1)
  }
  const baseOf = ({ base, entries }: { readonly base: bigint; readonly entries: number }): bigint =>
    encode(queueBase, { LOG2SZ: Math.log2(entries) - 1, PPN: base })[0] as bigint
  const writeCommandStatus = (value: bigint): void => {
    const { cqen, cqmf, cmd_to, cmd_ill } = decode(commandQueueStatus, [value])
    if (cqen === 1 && !queue.enabled) {
      Object.assign(queue, { enabled: true, head: 0, memoryFault: false, illegal: false, timeout: false, unanswered: false })
    }
    if (cqen === 0) queue.enabled = false
    if (cqmf === 1) queue.memoryFault = false
    if (cmd_to === 1) queue.timeout = false
    if (cmd_ill === 1) queue.illegal = false
    runQueue()
  }
  const writeFaultStatus = (value: bigint): void => {
    const { fqen, fqmf, fqof } = decode(faultQueueStatus, [value])
    if (fqen === 1 && !faults.enabled) Object.assign(faults, { enabled: true, tail: 0, memoryFault: false, overflow: false })
    if (fqen === 0) faults.enabled = false
    if (fqmf === 1) faults.memoryFault = false
    if (fqof === 1) faults.overflow = false
  }
  const read = (offset: number): bigint => {
    switch (offset) {
      case OFFSETS.capabilities: return capabilities
      case OFFSETS.ddtp: return directory()
      case OFFSETS.cqb: return baseOf(queue)
      case OFFSETS.cqh: return BigInt(queue.head)
      case OFFSETS.cqt: return BigInt(queue.tail)
      case OFFSETS.fqb: return baseOf(faults)
      case OFFSETS.fqh: return BigInt(faults.head)
      case OFFSETS.fqt: return BigInt(faults.tail)
      case OFFSETS.cqcsr: return encode(commandQueueStatus, {
        cqen: flag(queue.enabled), cqon: flag(queue.enabled),
        cqmf: flag(queue.memoryFault), cmd_to: flag(queue.timeout), cmd_ill: flag(queue.illegal),
      })[0] as bigint
      case OFFSETS.fqcsr: return encode(faultQueueStatus, {
        fqen: flag(faults.enabled), fqon: flag(faults.enabled), fqmf: flag(faults.memoryFault), fqof: flag(faults.overflow),
      })[0] as bigint
      default: return plain.get(offset) ?? 0n
    }
  }
  return {
    read: (offset, bits) => (bits === 32 ? read(offset) & mask32 : read(offset)),
    write(offset, _bits, value) {
      switch (offset) {
        case OFFSETS.capabilities: case OFFSETS.cqh: case OFFSETS.fqt: return
        // Little-endian and 64-bit stages are all that the profile has: the bits that say otherwise cannot be set.
        case OFFSETS.fctl: return
        case OFFSETS.ddtp: return setDirectory(value)
        case OFFSETS.cqb: return setQueue(queue, value)
        case OFFSETS.fqb: return setQueue(faults, value)
        case OFFSETS.cqt: queue.tail = Number(value) % queue.entries; return runQueue()
        case OFFSETS.fqh: faults.head = Number(value) % faults.entries; return
        case OFFSETS.cqcsr: return writeCommandStatus(value)
        case OFFSETS.fqcsr: return writeFaultStatus(value)
        default: plain.set(offset, value)
      }
    },
  }
}
