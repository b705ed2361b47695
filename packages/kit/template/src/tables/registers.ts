// Registers: where they lie, and the fields of those that have fields.
import { address, bit, entry } from '@iommu/bits'

/** Byte offsets into the register window. */
export const OFFSETS = {
  control: 0x00, deviceTable: 0x08, queueBase: 0x10, queueHead: 0x18, queueTail: 0x20, status: 0x28, fault: 0x30,
} as const

const from = { bits: 64, confirmedBy: [] } as const

export const control = entry('acme.control', {
  title: 'Control register', section: 'acme:3', ...from, reserved: [[63, 1]],
}, { ENABLE: bit(0, 'Requests go through the device table; 0: they pass') })

export const deviceTable = entry('acme.device-table', {
  title: 'Device table base', section: 'acme:3', ...from, reserved: [[11, 0]],
}, { BASE: address(63, 12, 'Device table') })

/** The queue is one page; head and tail are indexes of commands. */
export const queueBase = entry('acme.queue-base', {
  title: 'Command queue base', section: 'acme:3', ...from, reserved: [[11, 0]],
}, { BASE: address(63, 12, 'Command queue') })

export const status = entry('acme.status', {
  title: 'Status register', section: 'acme:3', ...from, reserved: [[63, 2]],
}, {
  ILLEGAL: bit(0, 'The queue has stopped at an illegal command; write 1 to clear'),
  OVERFLOW: bit(1, 'Faults were lost; write 1 to clear'),
})
