// Commands of the command queue: one layout for each opcode.
import { entry, field } from '@iommu/bits'
import type { Entry } from '@iommu/bits'

export const OPCODES = { forgetDevice: 1, fence: 2 } as const

const from = { bits: 128, confirmedBy: [] } as const
const opcode = field(7, 0, 'Opcode', { 1: 'forget device', 2: 'fence' })

export const forgetDeviceCommand = entry('acme.cmd.forget-device', {
  title: 'Forget what was read of a device entry', section: 'acme:2', ...from, reserved: [[15, 8], [127, 32]],
}, {
  OPCODE: opcode,
  SOURCE: field(31, 16, 'Requester id'),
})

export const fenceCommand = entry('acme.cmd.fence', {
  title: 'All commands before it are complete', section: 'acme:2', ...from, reserved: [[127, 8]],
}, { OPCODE: opcode })

/** Layouts by opcode. All share the place of OPCODE. */
export const commands: Readonly<Record<number, Entry | undefined>> = {
  [OPCODES.forgetDevice]: forgetDeviceCommand,
  [OPCODES.fence]: fenceCommand,
}
