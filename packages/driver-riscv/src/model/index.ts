// The model: a RISC-V IOMMU that reads tables and registers, and answers what happens to a DMA.
import { createSurroundings, createUnitMachine } from '@iommu/hardware'
import type { PhysicalMemory, TestMachine, UnitOptions } from '@iommu/hardware'
import { readCapabilities } from '../tables/index.js'
import { createCaches } from './caches.js'
import type { Caches } from './caches.js'
import type { Stopped } from './copies.js'
import { createFaultQueueState, recordFault } from './fault-log.js'
import { createFormats } from './formats.js'
import { capabilityWord, defaultProfile } from './profile.js'
import type { Profile } from './profile.js'
import { createQueueState, runQueue } from './queue.js'
import { createRegisterDevice } from './registers.js'
import type { UnitState } from './registers.js'
import { inDevice, translate } from './translate.js'
import type { Hardware } from './translate.js'

export { createRiscvAdversary } from './adversary.js'
export type { RiscvAdversaryOptions } from './adversary.js'
export { createCaches } from './caches.js'
export { fetchDevice, fetchProcess, Stopped } from './copies.js'
export type { DeviceContext, Directory, ProcessContext, Reader, Stage } from './copies.js'
export { createFormats } from './formats.js'
export { capabilityWord, defaultProfile } from './profile.js'
export type { Profile } from './profile.js'
export { causesOf, locateBy, translate } from './translate.js'
export type { DirectoryState, Hardware } from './translate.js'

export interface ModelOptions extends UnitOptions {
  readonly profile?: Partial<Profile>
}

/** A machine with one RISC-V IOMMU. */
export interface RiscvMachine extends TestMachine {
  readonly memory: PhysicalMemory
  readonly unit?: number
  readonly profile: Profile
  /** What the answers to DMA rest on, for other ways of asking. */
  readonly hardware: Hardware
  /** For statements about what hardware holds; a driver never sees them. */
  readonly caches: Caches
}

export const createRiscvMachine = (options: ModelOptions = {}): RiscvMachine => {
  const profile: Profile = { ...defaultProfile, ...options.profile }
  // Walks are coherent (Linux, riscv_iommu: nothing is ever written back).
  const surroundings = createSurroundings(options)
  const { memory, events, failures } = surroundings
  const word = capabilityWord(profile)
  const capabilities = readCapabilities(word)
  const caches = createCaches(options.iotlb)
  const state: UnitState = {
    directory: { mode: 'off', root: 0n }, queue: createQueueState(), faults: createFaultQueueState(), plain: new Map(),
  }
  const device = createRegisterDevice(word, profile.directoryLevels, state, () =>
    runQueue(state.queue, { memory, caches, capabilities, events, failures, state }))
  const hardware: Hardware = { memory, state, caches, capabilities, formats: createFormats(capabilities) }
  return {
    ...createUnitMachine(surroundings, {
      name: 'a RISC-V IOMMU',
      registers: device,
      translate: (request, sight) => translate(hardware, request, sight),
      log: (request, { code, guest }: Stopped) => recordFault(state.faults, memory, request, code, guest),
      devices: { tlbs: caches.deviceTlbs, attributes: inDevice },
    }, options.unit),
    profile,
    hardware,
    caches,
  }
}
