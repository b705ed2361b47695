// What this driver's tests have in common: an IOMMU with two devices, of which the first has PASIDs and a TLB of its own.
import type { Device } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { met, pokeOf, requestsOf } from '../../../tools/driver-tests/dma.js'
import { scenesOf } from '../../../tools/driver-tests/scene.js'
import type { Scene } from '../../../tools/driver-tests/scene.js'
import { createAmdVi } from '../src/index.js'
import type { AmdVi, AmdViOptions } from '../src/index.js'
import { createAmdMachine } from '../src/model/index.js'
import type { AmdMachine } from '../src/model/index.js'

export type Made = Scene<AmdMachine, AmdVi>

export const ats: Device = { name: 'ats', requesterId: 0x20, ats: true }
export const plain: Device = { name: 'plain', requesterId: 0x38 }
/** Behind the second unit, where there is one. */
export const far: Device = { name: 'far', requesterId: 0x40, unit: 1 }

export const made = scenesOf({
  devices: [ats, plain],
  endpoints: new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x38, {}]]),
  createMachine: createAmdMachine,
  createDriver: (machine, setup, options: Partial<AmdViOptions> | undefined) => createAmdVi(machine, {
    hostAddressBits: machine.profile.hostAddressBits, capabilityHeader: machine.capabilityHeader, lastDeviceId: 0x1ff, ...setup, ...options,
  }),
})

export const read = requestsOf(0x20)

/** The code of the event for which a request is blocked. */
export const code = (machine: AmdMachine, request: DmaRequest): number | string => met(machine, request, (fault) => fault.code)

export const poke = pokeOf(({ caches }: AmdMachine) =>
  ({ entries: [caches.entries, caches.gcr3], translations: [caches.guest, caches.host] }))
