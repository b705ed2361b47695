// Recognises the lines that kernels of all ages write about VT-d, and takes them apart. Says nothing about meaning.
import { readDumpLine } from './dumped-tables.js'
import type { DumpLine } from './dumped-tables.js'

/** A fault code as printed, and how it was read. */
export interface PrintedCode {
  readonly code: number
  /** Where the print leaves a choice: which one was taken. */
  readonly reading?: string
}

export type LogLine =
  | {
      readonly kind: 'dma-fault'
      readonly device: string
      readonly access: 'read' | 'write'
      readonly pasid?: number
      /** False: the line has no place for one, as the older kernels print it. */
      readonly pasidSaid: boolean
      readonly address: string
      /** Undefined: the reason stands on the next line, as very old kernels print it. */
      readonly printed?: PrintedCode
    }
  | {
      readonly kind: 'interrupt-fault'
      readonly device: string
      readonly index: number
      readonly printed?: PrintedCode
    }
  | { readonly kind: 'reason'; readonly printed: PrintedCode }
  | { readonly kind: 'fault-status'; readonly value: bigint }
  | { readonly kind: 'suppressed'; readonly lines: number }
  | { readonly kind: 'queue-error'; readonly what: 'queue' | 'completion' | 'time-out'; readonly info: number }
  | { readonly kind: 'dump'; readonly dump: DumpLine }
  | { readonly kind: 'other' }

/** Some kernels print 0x before bus and device. */
const DEVICE = String.raw`\[+((?:[0-9a-f]{4,8}:)?(?:0x)?[0-9a-f]{2}:(?:0x)?[0-9a-f]{2}\.[0-7])\]`
const REASON = String.raw`\[fault reason (0x)?([0-9a-f]{1,8})\]`
const DMA = new RegExp(
  String.raw`\[DMA (Read|Write)(?: (NO[_ ]PASID|PASID 0x[0-9a-f]{1,8}))?\] Request device ${DEVICE}(?: PASID ([0-9a-f]{1,8}))?`
  + String.raw` fault addr (?:0x)?([0-9a-f]{1,16})`, 'i')
const INTERRUPT = new RegExp(String.raw`INTR-REMAP\]?:? Request device ${DEVICE} fault index (?:0x)?([0-9a-f]{1,8})`, 'i')
const REASON_ANYWHERE = new RegExp(REASON, 'i')
const STATUS = /DRHD: handling fault status reg (?:0x)?([0-9a-f]{1,16})/i
const SUPPRESSED = /dmar_fault: (\d{1,9}) callbacks suppressed/
const QUEUE = /VT-d detected Invalidation (Queue|Completion|Time-out) Error(?:: (?:Reason|SID) (?:0x)?([0-9a-f]{1,8}))?/i
const OURS = /\b(?:DMAR(?:-IR)?|dmar\d{1,4}|INTR-REMAP)\b/

/**
 * Newer kernels print 0x and hexadecimal, older ones two decimal digits without 0x. Below ten both are the same.
 * Letters can only be hexadecimal.
 */
const readPrintedCode = (prefix: string | undefined, digits: string): PrintedCode => {
  if (prefix !== undefined) return { code: parseInt(digits, 16) }
  if (/[a-f]/i.test(digits)) return { code: parseInt(digits, 16), reading: `"${digits}" taken as hexadecimal` }
  const code = parseInt(digits, 10)
  if (code < 10) return { code }
  const spelled = `0x${code.toString(16).padStart(2, '0')}`
  return { code, reading: `"${digits}" without 0x taken as decimal, as older kernels print it: ${spelled}` }
}

const deviceOf = (text: string): string => text.toLowerCase().replaceAll('0x', '')

const reasonIn = (line: string): PrintedCode | undefined => {
  const match = REASON_ANYWHERE.exec(line)
  return match === null ? undefined : readPrintedCode(match[1], match[2] as string)
}

/** "NO_PASID", "PASID 0x5", or the older form in which all ones mean that there is none. */
const pasidOf = (modern: string | undefined, older: string | undefined): number | undefined => {
  const digits = modern?.startsWith('PASID') === true ? modern.slice(8) : older
  const pasid = digits === undefined ? undefined : parseInt(digits, 16)
  return pasid === undefined || pasid >= 0x100000 ? undefined : pasid
}

/** One line, whatever stands before it (timestamps, a host name). Undefined where it is not about an IOMMU. */
export const readLogLine = (line: string): LogLine | undefined => {
  const dma = DMA.exec(line)
  const printed = reasonIn(line)
  if (dma !== null) {
    const [, access, modern, device, older, address] = dma as unknown as string[]
    const pasid = pasidOf(modern, older)
    return {
      kind: 'dma-fault',
      device: deviceOf(device as string),
      access: /read/i.test(access as string) ? 'read' : 'write',
      address: `0x${BigInt(`0x${address}`).toString(16)}`,
      pasidSaid: modern !== undefined || older !== undefined,
      ...(pasid === undefined ? {} : { pasid }), ...(printed === undefined ? {} : { printed }),
    }
  }
  const interrupt = INTERRUPT.exec(line)
  if (interrupt !== null) {
    return {
      kind: 'interrupt-fault',
      device: deviceOf(interrupt[1] as string),
      index: parseInt(interrupt[2] as string, 16),
      ...(printed === undefined ? {} : { printed }),
    }
  }
  if (printed !== undefined) return { kind: 'reason', printed }
  const status = STATUS.exec(line)
  if (status !== null) return { kind: 'fault-status', value: BigInt(`0x${status[1]}`) }
  const suppressed = SUPPRESSED.exec(line)
  if (suppressed !== null) return { kind: 'suppressed', lines: Number(suppressed[1]) }
  const queue = QUEUE.exec(line)
  if (queue !== null) {
    const what = (queue[1] as string).toLowerCase() as 'queue' | 'completion' | 'time-out'
    return { kind: 'queue-error', what, info: queue[2] === undefined ? 0 : parseInt(queue[2], 16) }
  }
  if (!line.includes(':') || !OURS.test(line)) return undefined
  const dump = readDumpLine(line)
  return dump === undefined ? { kind: 'other' } : { kind: 'dump', dump }
}
