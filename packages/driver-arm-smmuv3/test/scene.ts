// What this driver's tests have in common: an SMMU with two devices, of which the first has SSIDs and a TLB of its own.
import type { Device } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { met, pokeOf, requestsOf } from '../../../tools/driver-tests/dma.js'
import { scenesOf } from '../../../tools/driver-tests/scene.js'
import type { Scene } from '../../../tools/driver-tests/scene.js'
import { createArmSmmuv3 } from '../src/index.js'
import type { ArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine } from '../src/model/index.js'
import type { SmmuMachine } from '../src/model/index.js'

export type Made = Scene<SmmuMachine, ArmSmmuv3>

export const ats: Device = { name: 'ats', requesterId: 0x20, ats: true }
export const plain: Device = { name: 'plain', requesterId: 0x38 }
/** Behind the second SMMU, where there is one. */
export const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }

export const endpoints = new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x38, {}]])

export const made = scenesOf({
  devices: [ats, plain],
  endpoints,
  createMachine: createSmmuMachine,
  createDriver: (machine, setup) => createArmSmmuv3(machine, setup),
})

export const read = requestsOf(0x20)

/** The event for which a request is blocked. */
export const code = (machine: SmmuMachine, request: DmaRequest): string => met(machine, request, (fault) => fault.name)

export const poke = pokeOf(({ caches }: SmmuMachine) => ({
  entries: [caches.levelOneStreams, caches.streams, caches.levelOneContexts, caches.contexts],
  translations: [caches.stage1, caches.stage2],
}))
