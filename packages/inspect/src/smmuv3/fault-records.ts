// Events that were still waiting in the event queue when a capture was taken.
import { decode, decodeField } from '@iommu/bits'
import { anyEvent, events } from '@iommu/driver-arm-smmuv3/queues'
import { outputQueueIndex, queueBase } from '@iommu/driver-arm-smmuv3/registers'
import { nameOfRequester } from '../bdf.js'
import type { Capture } from '../capture.js'
import { loadRecorded } from '../recorded-pages.js'
import { hex, hexCode } from '../spell.js'
import type { PendingFault } from '../vendor.js'

const RECORD_WORDS = 4

const faultOf = ({ devices }: Capture, words: readonly bigint[]): PendingFault => {
  const { ID, SID, SSV, SSID } = decode(anyEvent, words)
  const event = events.get(ID)
  const { RnW, InputAddr } = decode(event?.layout ?? anyEvent, words) as Readonly<Record<string, number | bigint | undefined>>
  return {
    device: devices.find(({ requesterId }) => requesterId === SID)?.bdf ?? (SID < 0x10000 ? nameOfRequester(SID) : `stream ${hex(SID)}`),
    ...(SSV === 1 ? { pasid: SSID } : {}),
    access: RnW === 1 ? 'read' : 'write',
    address: hex(BigInt(InputAddr ?? 0)),
    code: ID,
    name: event === undefined ? `unknown event ${hexCode(ID)}` : `${event.name}: ${event.meaning}`,
  }
}

/** From consumer to producer; none where the registers or the pages of the queue were not recorded. */
export const pendingFaults = (capture: Capture): PendingFault[] => {
  const { registers, view } = capture
  const [base, producer, consumer] = ['EVENTQ_BASE', 'EVENTQ_PROD', 'EVENTQ_CONS'].map((name) => registers.get(name))
  if (base === undefined || producer === undefined || consumer === undefined) return []
  const { ADDR, LOG2SIZE } = decode(queueBase, [base])
  const entries = 2 ** LOG2SIZE
  // The bit above the index says how often the queue went around: equal indexes with it unequal are a full queue.
  const [to, from] = [producer, consumer].map((each) => decodeField(outputQueueIndex, [each], 'INDEX') % (2 * entries)) as [number, number]
  const faults: PendingFault[] = []
  for (let at = from; at !== to && faults.length < entries; at = (at + 1) % (2 * entries)) {
    const words = loadRecorded(view, ADDR + BigInt((at % entries) * RECORD_WORDS * 8), RECORD_WORDS)
    if (words !== undefined) faults.push(faultOf(capture, words))
  }
  return faults
}
