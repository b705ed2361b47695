// What this driver's tests have in common: a unit with two devices, of which the first has PASIDs and a TLB of its own.
import type { Device } from '@iommu/core'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { scenesOf } from '../../../tools/driver-tests/scene.js'
import type { Scene } from '../../../tools/driver-tests/scene.js'
import { createRiscv } from '../src/index.js'
import type { Riscv } from '../src/index.js'
import { createRiscvMachine } from '../src/model/index.js'
import type { RiscvMachine } from '../src/model/index.js'

export type Made = Scene<RiscvMachine, Riscv>

export const ats: Device = { name: 'ats', requesterId: 0x110, ats: true }
export const plain: Device = { name: 'plain', requesterId: 0x38 }
/** Behind the second unit, where there is one. */
export const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }

export const NO_PASIDS = { processLevels: [] as const }

export const made = scenesOf({
  devices: [ats, plain],
  endpoints: new Map([[0x110, { pasidWidth: 20, atsQueueDepth: 31 }], [0x38, {}]]),
  createMachine: createRiscvMachine,
  createDriver: (machine, setup) => createRiscv(machine, setup),
})

export const read = requestsOf(0x110)
