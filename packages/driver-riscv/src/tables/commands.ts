// Commands of the command queue: one layout for each opcode and function.
import { address, bit, decode, entry, field } from '@iommu/bits'
import type { Entry, Words } from '@iommu/bits'

/** Opcode and function of each command. */
export const COMMANDS = {
  invalidateFirstStage: { OPCODE: 1, FUNC: 0 },
  invalidateSecondStage: { OPCODE: 1, FUNC: 1 },
  fence: { OPCODE: 2, FUNC: 0 },
  invalidateDevice: { OPCODE: 3, FUNC: 0 },
  invalidateProcess: { OPCODE: 3, FUNC: 1 },
  atsInvalidate: { OPCODE: 4, FUNC: 0 },
  pageResponse: { OPCODE: 4, FUNC: 1 },
} as const

const from = { bits: 128, confirmedBy: ['linux', 'qemu', 'spec'] } as const
const linux = { confirmedBy: ['linux', 'spec'] } as const
const head = {
  OPCODE: field(6, 0, 'Opcode', { 1: 'IOTINVAL', 2: 'IOFENCE', 3: 'IODIR', 4: 'ATS' }),
  FUNC: field(9, 7, 'Function'),
}

const translations = {
  ...head,
  AV: bit(10, 'The address is given'),
  PSCID: field(31, 12, 'Process Soft-context Identifier'),
  PSCV: bit(32, 'The PSCID is given'),
  GV: bit(33, 'The GSCID is given; 0 for VMA: the host\'s own'),
  NL: bit(34, 'Non-leaf entries of the address too; reserved without the NL capability', linux),
  GSCID: field(59, 44, 'Guest Soft-context Identifier'),
  S: bit(73, 'The address says how large the range is; reserved without the S capability', linux),
  ADDR: address(125, 74, 'Address', { scale: 12, confirmedBy: ['linux', 'spec'] }),
}
const translationsReserved = [[11, 11], [43, 35], [63, 60], [72, 64], [127, 126]] as const

export const invalidateFirstStage = entry('riscv.cmd.iotinval-vma', {
  title: 'IOTINVAL.VMA: first-stage translations', section: 'riscv:3.1.1?', ...from, reserved: [...translationsReserved],
}, translations)

export const invalidateSecondStage = entry('riscv.cmd.iotinval-gvma', {
  title: 'IOTINVAL.GVMA: second-stage translations', section: 'riscv:3.1.1?', ...from, reserved: [...translationsReserved],
}, translations)

export const fence = entry('riscv.cmd.iofence-c', {
  title: 'IOFENCE.C: all commands before it are complete', section: 'riscv:3.1.2?', ...from,
  reserved: [[31, 14], [127, 126]],
}, {
  ...head,
  AV: bit(10, 'DATA is written to ADDR'),
  WSI: bit(11, 'An interrupt by wire', linux),
  PR: bit(12, 'Reads processed before are globally visible', linux),
  PW: bit(13, 'Writes processed before are globally visible', linux),
  DATA: field(63, 32, 'Data'),
  ADDR: address(125, 64, 'Address', { scale: 2, confirmedBy: ['linux', 'spec'] }),
})

export const invalidateDevice = entry('riscv.cmd.iodir-inval-ddt', {
  title: 'IODIR.INVAL_DDT: device contexts', section: 'riscv:3.1.3?', ...from,
  reserved: [[32, 10], [39, 34], [127, 64]],
}, {
  ...head,
  DV: bit(33, 'The device id is given'),
  DID: field(63, 40, 'Device Identifier'),
})

export const invalidateProcess = entry('riscv.cmd.iodir-inval-pdt', {
  title: 'IODIR.INVAL_PDT: a process context', section: 'riscv:3.1.3?', ...from,
  reserved: [[11, 10], [32, 32], [39, 34], [127, 64]],
}, {
  ...head,
  PID: field(31, 12, 'Process Identifier'),
  DV: bit(33, 'The device id is given'),
  DID: field(63, 40, 'Device Identifier'),
})

const device = {
  ...head,
  PID: field(31, 12, 'Process Identifier'),
  PV: bit(32, 'The process id is given'),
  DSV: bit(33, 'The segment is given'),
  RID: field(55, 40, 'Requester Identifier'),
  DSEG: field(63, 56, 'Segment'),
}

export const atsInvalidate = entry('riscv.cmd.ats-inval', {
  title: 'ATS.INVAL: what a device has cached', section: 'riscv:3.1.4?', ...from,
  reserved: [[11, 10], [39, 34], [74, 65]],
}, {
  ...device,
  G: bit(64, 'Global: whatever the process id', linux),
  S: bit(75, 'The address says how large the range is', linux),
  UADDR: address(127, 76, 'Address', { alias: ['ADDR'], confirmedBy: ['linux', 'spec'] }),
})

export const pageResponse = entry('riscv.cmd.ats-prgr', {
  title: 'ATS.PRGR: the answer to a group of page requests', section: 'riscv:3.1.4?', ...from,
  reserved: [[11, 10], [39, 34], [95, 64], [107, 105], [127, 112]],
}, {
  ...device,
  PRGI: field(104, 96, 'Page Request Group Index', undefined, linux),
  RESP_CODE: field(111, 108, 'Response', { 0: 'success', 1: 'invalid', 15: 'failure' }),
})

const commands: readonly (readonly [{ readonly OPCODE: number; readonly FUNC: number }, Entry])[] = [
  [COMMANDS.invalidateFirstStage, invalidateFirstStage],
  [COMMANDS.invalidateSecondStage, invalidateSecondStage],
  [COMMANDS.fence, fence],
  [COMMANDS.invalidateDevice, invalidateDevice],
  [COMMANDS.invalidateProcess, invalidateProcess],
  [COMMANDS.atsInvalidate, atsInvalidate],
  [COMMANDS.pageResponse, pageResponse],
]

/** The layout of a command, or undefined where there is none of its opcode and function. */
export const commandLayout = (words: Words): Entry | undefined => {
  const { OPCODE, FUNC } = decode(fence, words)
  return commands.find(([command]) => command.OPCODE === OPCODE && command.FUNC === FUNC)?.[1]
}
