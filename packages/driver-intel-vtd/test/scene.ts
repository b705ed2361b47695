// What this driver's tests have in common: a unit with two devices, of which the first has PASIDs and a TLB of its own.
import type { Device } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { met, pokeOf, requestsOf } from '../../../tools/driver-tests/dma.js'
import { scenesOf } from '../../../tools/driver-tests/scene.js'
import type { Scene } from '../../../tools/driver-tests/scene.js'
import { createIntelVtd } from '../src/index.js'
import type { IntelVtd } from '../src/index.js'
import { createVtdMachine } from '../src/model/index.js'
import type { VtdMachine } from '../src/model/index.js'

export type Made = Scene<VtdMachine, IntelVtd>

export const ats: Device = { name: 'ats', requesterId: 0x20, ats: true }
export const plain: Device = { name: 'plain', requesterId: 0x38 }
/** Behind the second unit, where there is one. */
export const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }

export const LEGACY = { scalable: false, levels: [3, 4] as const }

export const made = scenesOf({
  devices: [ats, plain],
  endpoints: new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x30, { pasidWidth: 14 }], [0x38, {}]]),
  createMachine: createVtdMachine,
  createDriver: (machine, setup) => createIntelVtd(machine, { hostAddressBits: machine.profile.hostAddressBits, ...setup }),
})

export const read = requestsOf(0x20)

/** The reason for which a request is blocked. */
export const code = (machine: VtdMachine, request: DmaRequest): number | string => met(machine, request, (fault) => fault.code)

export const poke = pokeOf(({ caches }: VtdMachine) =>
  ({ entries: [caches.contexts, caches.pasids], translations: [caches.firstStage, caches.secondStage] }))
