// Recognises the lines that kernels write about a RISC-V IOMMU, and takes them apart. Says nothing about meaning.

export type LogLine =
  | {
      readonly kind: 'fault'
      readonly cause: number
      readonly deviceId: number
      /** Whether the device id has no 0x, as kernels print it whose driver had not been merged: decimal then. */
      readonly decimal: boolean
      /** Transaction type; Linux prints none. */
      readonly type?: number
      readonly iotval: bigint
      readonly iotval2: bigint
    }
  | { readonly kind: 'command-queue'; readonly memory: boolean; readonly timeout: boolean; readonly illegal: boolean; readonly fence: boolean }
  | { readonly kind: 'fault-queue'; readonly memory: boolean; readonly overflow: boolean }
  /** The driver gave up: waiting for a command, for room in a queue, or for a queue's index. */
  | { readonly kind: 'gave-up'; readonly what: 'command' | 'enqueue' | 'queue' }
  | { readonly kind: 'suppressed'; readonly lines: number }
  | { readonly kind: 'other' }

const FAULT = /\bFault (\d{1,5}) (?:ttyp:? (\d{1,3}) )?devid: (0x)?([0-9a-f]{1,8}) iotval: (?:0x)?([0-9a-f]{1,16}) iotval2: (?:0x)?([0-9a-f]{1,16})/i
const COMMAND_QUEUE = /\bQueue #\d{1,3} error; fault:(\d) timeout:(\d) illegal:(\d) fence_w_ip:(\d)/i
/** As it was printed before the driver was merged. */
const OLD_COMMAND_QUEUE = /\bCommand queue error: fault: (\d) tout: (\d) err: (\d)/i
const FAULT_QUEUE = /\bQueue #\d{1,3} error; memory fault:(\d) overflow:(\d)/i
const SPEAKER = /\b(?:riscv[,_-]iommu|iommu_pci)\b/
const SUPPRESSED = /\briscv_iommu_\w{1,60}: (\d{1,9}) callbacks suppressed/
const GAVE_UP = /Hardware error: (command execution timeout|command enqueue failed|queue access timeout)/

const WHAT = { 'command execution timeout': 'command', 'command enqueue failed': 'enqueue', 'queue access timeout': 'queue' } as const

const readFault = (match: RegExpExecArray): LogLine => {
  const [, cause = '', type, prefix, device = '', iotval, iotval2] = match
  return {
    kind: 'fault',
    cause: Number(cause),
    deviceId: prefix === undefined && /^\d+$/.test(device) ? Number(device) : parseInt(device, 16),
    decimal: prefix === undefined && /^\d+$/.test(device),
    ...(type === undefined ? {} : { type: Number(type) }),
    iotval: BigInt(`0x${iotval}`),
    iotval2: BigInt(`0x${iotval2}`),
  }
}

/** One line, whatever stands before it. Undefined where it is not about a RISC-V IOMMU. */
export const readLogLine = (line: string): LogLine | undefined => {
  const fault = FAULT.exec(line)
  if (fault !== null) return readFault(fault)
  const command = COMMAND_QUEUE.exec(line) ?? OLD_COMMAND_QUEUE.exec(line)
  if (command !== null) {
    const [memory, timeout, illegal, fence] = command.slice(1).map((each) => each === '1')
    return { kind: 'command-queue', memory: memory === true, timeout: timeout === true, illegal: illegal === true, fence: fence === true }
  }
  const faults = FAULT_QUEUE.exec(line)
  if (faults !== null) return { kind: 'fault-queue', memory: faults[1] === '1', overflow: faults[2] === '1' }
  const suppressed = SUPPRESSED.exec(line)
  if (suppressed !== null) return { kind: 'suppressed', lines: Number(suppressed[1]) }
  if (!SPEAKER.test(line)) return undefined
  const gaveUp = GAVE_UP.exec(line)
  return gaveUp === null ? { kind: 'other' } : { kind: 'gave-up', what: WHAT[gaveUp[1] as keyof typeof WHAT] }
}
