// The backends on which the suite checks this driver: kinds of hardware, each as a model.
import type { IommuOps } from '@iommu/core'
import { PhysicalMemory, unitsOf } from '@iommu/hardware'
import type { DriverSetup, MachineSetup, TestMachine } from '@iommu/hardware'
import { createAcme } from './driver.js'
import type { Acme, AcmeOptions } from './driver.js'
import { createAcmeMachine, defaultProfile } from './model/index.js'
import type { Profile } from './model/index.js'

/** What a backend is made of; the shape that @iommu/conformance takes. */
export interface AcmeBackend {
  readonly name: string
  readonly backend: string
  readonly physicalBits: number
  readonly deviceBits: number
  createMachine(setup: MachineSetup): TestMachine
  createDriver(machines: readonly TestMachine[], setup: DriverSetup): IommuOps
}

/** Makes the driver over a backend's machine, with some options of the driver changed. */
export const driverOver = (
  machines: readonly TestMachine[], warn: (sentence: string) => void, options: Partial<AcmeOptions> = {},
): Acme => {
  const { machine } = unitsOf(machines)
  return createAcme(machine, { warn, ...options })
}

const backend = (name: string, profile: Partial<Profile> = {}): AcmeBackend => {
  const whole: Profile = { ...defaultProfile, ...profile }
  return {
    name: 'driver-acme',
    backend: name,
    physicalBits: whole.physicalBits,
    deviceBits: whole.physicalBits,
    createMachine: ({ endpoints, first }) => createAcmeMachine({
      profile: whole,
      endpoints,
      ...(first?.memory instanceof PhysicalMemory ? { memory: first.memory } : {}),
    }),
    createDriver: (machines, { warn }) => driverOver(machines, warn),
  }
}

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly AcmeBackend[] = [backend('as it is')]
