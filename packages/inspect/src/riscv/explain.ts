// What the RISC-V IOMMU's fault lines mean.
import { decode } from '@iommu/bits'
import { guestFaultAddress, TRANSACTION_TYPES } from '@iommu/driver-riscv/queues'
import { commandQueueStatus, faultQueueStatus } from '@iommu/driver-riscv/registers'
import { nameOfRequester } from '../bdf.js'
import type { Explained } from '../explained.js'
import { hex } from '../spell.js'
import { suppressedItem } from '../suppressed.js'
import type { LogReader, Report } from '../vendor.js'
import { accessOfCause, explainCode, isGuestFault, isUnitsOwn } from './codes.js'
import { readLogLine } from './log-lines.js'
import type { LogLine } from './log-lines.js'

type Fault = LogLine & { readonly kind: 'fault' }

const types: Readonly<Record<number, string | undefined>> = TRANSACTION_TYPES
/** A type whose iotval is the code of a message. */
const MESSAGE = 9
/** Types of untranslated and translated writes, and all that read. */
const ACCESS_OF_TYPE: ReadonlyMap<number, 'read' | 'write'> = new Map([
  [1, 'read'], [2, 'read'], [3, 'write'], [5, 'read'], [6, 'read'], [7, 'write'],
])

/** Of a PCI device the id is segment, bus, device and function. */
const deviceOf = (id: number): string => {
  const segment = Math.floor(id / 0x10000)
  const name = nameOfRequester(id % 0x10000)
  return segment === 0 ? name : `${segment.toString(16).padStart(4, '0')}:${name}`
}

/** iotval2 of a second-stage fault: a guest's address, and whose access it was. */
const guestSaid = (iotval2: bigint): string[] => {
  const { GPA, implicit, write } = decode(guestFaultAddress, [iotval2])
  const done = write === 1 ? 'updated' : 'read'
  return [`guest address ${hex(GPA)}`, ...(implicit === 1 ? [`met on the way, when the unit ${done} a table of the guest`] : [])]
}

const BY_ID = 'the device is named by its id as PCI devices have them'
const NO_PASID_SAID = 'the line does not say whether the request had a PASID'
const READING = `${BY_ID}; ${NO_PASID_SAID}`

/** One digit is the same in both. */
const readingOf = ({ decimal, deviceId }: Fault): string => (!decimal || deviceId < 10 ? READING
  : `${BY_ID}; "devid: ${deviceId}" without 0x taken as decimal, as kernels print it that are older than the merged driver; ${NO_PASID_SAID}`)

const faultItem = (line: Fault, input: string): Explained => {
  const { cause, deviceId, type, iotval, iotval2 } = line
  if (isUnitsOwn(cause)) return { kind: 'dma-fault', input, count: 1, ...explainCode(cause), address: hex(iotval) }
  const ofCause = accessOfCause(cause)
  const access = (type === undefined ? undefined : ACCESS_OF_TYPE.get(type)) ?? (ofCause === 'execute' ? 'read' : ofCause)
  const details = [`device id ${hex(deviceId)}`]
  if (type !== undefined) details.push(types[type] ?? `unknown transaction type ${type}`)
  if (ofCause === 'execute') details.push('to execute')
  if (type === MESSAGE) details.push(`message code ${hex(iotval)}`)
  if (isGuestFault(cause)) details.push(...guestSaid(iotval2))
  // Made for every fault of a log, which may be a million: one object, in one go.
  const item = { kind: 'dma-fault' as const, input, count: 1, device: deviceOf(deviceId), pasidSaid: false as const, details, reading: readingOf(line) }
  return Object.assign(
    item, type === MESSAGE ? undefined : { address: hex(iotval) }, access === undefined ? undefined : { access }, explainCode(cause))
}

const GAVE_UP = {
  command: 'the unit did not finish its commands in time: what was to be invalidated may still be in use',
  enqueue: 'there was no room for a command in time: what was to be invalidated may still be in use',
  queue: 'the unit did not say in time how far its queue has come',
} as const

/** What the errors that are set mean. */
const said = (errors: readonly (readonly [set: boolean, meaning: string])[]): string =>
  errors.filter(([set]) => set).map(([, meaning]) => meaning).join('; ') || 'the queue reports an error without a reason'

const about = (kind: Explained['kind'], input: string, meaning: string, section?: string): Explained =>
  ({ kind, input, count: 1, vendor: 'riscv', meaning, ...(section === undefined ? {} : { section }) })

/** The item for a line; undefined for lines that say nothing by themselves. */
const itemOf = (line: LogLine, input: string): Explained | undefined => {
  switch (line.kind) {
    case 'fault': return faultItem(line, input)
    case 'command-queue': return about('queue-error', input, said([
      [line.memory, 'the command queue lies in something that is not memory, or a fence could not write its word'],
      [line.timeout, 'a device did not answer the invalidation of its TLB in time: it may still use what was taken away'],
      [line.illegal, 'the unit refuses a command, and runs no further one until software has replaced it'],
      [line.fence, 'a fence asked for an interrupt, which Linux never does'],
    ]), commandQueueStatus.section)
    case 'fault-queue': return about('log-error', input, said([
      [line.memory, 'the fault queue lies in something that is not memory, so faults were lost'],
      [line.overflow, 'the fault queue was full, so some faults were lost'],
    ]), faultQueueStatus.section)
    case 'gave-up': return about('queue-error', input, GAVE_UP[line.what])
    case 'suppressed': return suppressedItem('riscv', input, line.lines)
    case 'other': return undefined
    default: return line satisfies never
  }
}

/** Every report is one line. */
export const createLogReader = (report: Report, other: () => void): LogReader => ({
  take(input, at) {
    const line = readLogLine(input)
    if (line === undefined) return false
    const item = itemOf(line, input)
    if (item === undefined) other()
    else report(item, at)
    return true
  },
  end() {},
})
