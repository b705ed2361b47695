// Reads the event log.
import { decode, encode } from '@iommu/bits'
import { createRing, frameAddress } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { EVENT_CODES, illegalDevTableEntryEvent, OFFSETS, status } from '../tables/index.js'
import { readStatus, restartEvents } from './registers.js'

/** log2 of the log's entries: one page. */
const LENGTH = 8

/** One event as hardware logged it. */
export interface RecordedFault {
  /** `events` of ./queues has its name, and says what it means. */
  readonly code: number
  /** Absent where the event is no device's. */
  readonly source?: number
  /** Absent: a request without PASID, or an event that does not say. */
  readonly pasid?: number
  /** Of the request, or of the command. */
  readonly address: bigint
  /** Absent where the event is no access. */
  readonly access?: 'read' | 'write'
  readonly words: readonly [bigint, bigint]
}

/** What was in the log. `overflow`: further events were dropped. */
export interface FaultReport {
  readonly faults: readonly RecordedFault[]
  readonly overflow: boolean
}

/** The log of one IOMMU. */
export interface EventReader {
  readonly base: bigint
  readonly length: number
  /** Takes every event that is logged, oldest first, and starts the log again after an overflow. */
  take(): FaultReport
  /** The source of a device-TLB invalidation that has timed out since the last call; the event stays for `take`. */
  timedOut(): number | undefined
}

const ACCESSES: ReadonlySet<number> = new Set([
  EVENT_CODES.illegalDevTableEntry, EVENT_CODES.ioPageFault, EVENT_CODES.devTabHardwareError, EVENT_CODES.pageTabHardwareError,
])
const OF_THE_BUFFER: ReadonlySet<number> = new Set([EVENT_CODES.illegalCommandError, EVENT_CODES.commandHardwareError])

/** Events have the fields of this one in the same places; all but the PASID of a page request, which is not read. */
const readEvent = (words: readonly [bigint, bigint]): RecordedFault => {
  const { Code: code, DeviceID, ADDR, RW, GN, PASID } = decode(illegalDevTableEntryEvent, words)
  const pasid = code === EVENT_CODES.invalidDeviceRequest || (ACCESSES.has(code) && GN === 1) ? PASID : 0
  return {
    code,
    ...(OF_THE_BUFFER.has(code) ? {} : { source: DeviceID }),
    ...(pasid === 0 ? {} : { pasid }),
    address: ADDR,
    ...(ACCESSES.has(code) ? { access: RW === 1 ? 'write' as const : 'read' as const } : {}),
    words,
  }
}

/** Takes a frame for the log. undefined where there is no memory. */
export const createEventReader = (machine: Machine): EventReader | undefined => {
  const { memory, registers } = machine
  const frame = memory.pages.allocate()
  if (frame === undefined) return undefined
  const base = frameAddress(frame)
  const ring = createRing(2 ** LENGTH, 16)
  let taken: RecordedFault[] = []
  let overflow = false
  let silent: number | undefined

  const drain = (): void => {
    let head = Number(registers.read64(OFFSETS.EVT_HEAD))
    const tail = Number(registers.read64(OFFSETS.EVT_TAIL))
    while (head !== tail) {
      const at = base + BigInt(head)
      const event = readEvent([memory.load64(at), memory.load64(at + 8n)])
      // Zeroed, so that the next event there is not taken for this one (Linux, `iommu_print_event`).
      memory.store128(at, 0n, 0n)
      if (event.code === EVENT_CODES.iotlbInvTimeout) silent = event.source
      taken.push(event)
      head = ring.next(head)
      registers.write64(OFFSETS.EVT_HEAD, BigInt(head))
    }
    if (readStatus(machine).EvtOvf === 0) return
    overflow = true
    registers.write64(OFFSETS.STATUS, encode(status, { EvtOvf: 1 })[0] as bigint)
    restartEvents(machine)
  }
  return {
    base,
    length: LENGTH,
    take() {
      drain()
      const report = { faults: taken, overflow }
      taken = []
      overflow = false
      return report
    },
    timedOut() {
      drain()
      const source = silent
      silent = undefined
      return source
    },
  }
}
