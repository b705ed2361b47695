// Events that were still waiting in the event log when a capture was taken.
import { decode, decodeField } from '@iommu/bits'
import { EVENT_CODES, events, illegalCommandErrorEvent } from '@iommu/driver-amd-vi/queues'
import { eventLogBase, ringPointer } from '@iommu/driver-amd-vi/registers'
import { nameOfRequester } from '../bdf.js'
import type { Capture } from '../capture.js'
import { loadRecorded } from '../recorded-pages.js'
import { hex } from '../spell.js'
import type { PendingFault } from '../vendor.js'
import { readPageFault } from './page-fault.js'

const ENTRY_BYTES = 16

/** What an event says; undefined for events that are not about a request. */
const faultOf = ({ devices }: Capture, words: readonly bigint[]): PendingFault | undefined => {
  const code = decodeField(illegalCommandErrorEvent, words, 'Code')
  const event = events.get(code)
  if (event === undefined || event.layout.fields['DeviceID'] === undefined) return undefined
  const { DeviceID, PASID, ADDR, RW } = decode(event.layout, words) as Readonly<Record<string, number | bigint | undefined>>
  const fault = code === EVENT_CODES.ioPageFault ? readPageFault(words) : undefined
  const pasid = fault?.pasid ?? (PASID === undefined || PASID === 0 ? undefined : Number(PASID))
  return {
    device: devices.find(({ requesterId }) => requesterId === DeviceID)?.bdf ?? nameOfRequester(Number(DeviceID)),
    ...(pasid === undefined ? {} : { pasid }),
    access: fault?.access ?? (RW === 1 ? 'write' : 'read'),
    address: hex(BigInt(ADDR ?? 0)),
    code,
    name: `${event.name}: ${event.meaning}${fault?.asQemu === true ? ' (QEMU does not tell the address)' : ''}`,
  }
}

/** From head to tail; none where the registers or the pages of the log were not recorded. */
export const pendingFaults = (capture: Capture): PendingFault[] => {
  const { registers, view } = capture
  const [base, head, tail] = ['EVT_BASE', 'EVT_HEAD', 'EVT_TAIL'].map((name) => registers.get(name))
  if (base === undefined || head === undefined || tail === undefined) return []
  const { Base, Len } = decode(eventLogBase, [base])
  const entries = 2 ** Len
  const [from, to] = [head, tail].map((each) => decodeField(ringPointer, [each], 'Offset') % entries) as [number, number]
  const faults: PendingFault[] = []
  for (let at = from; at !== to; at = (at + 1) % entries) {
    const words = loadRecorded(view, Base + BigInt(at * ENTRY_BYTES), 2)
    const fault = words === undefined ? undefined : faultOf(capture, words)
    if (fault !== undefined) faults.push(fault)
  }
  return faults
}
