// A core on a fake driver, with its warnings and probed devices: what most tests begin with.
import type {
  AddressSpace, AddressSpaceListener, Core, CoreOptions, Device, IommuErrorCode, IommuOps,
} from '@iommu/core'
import { createCore, errorCode } from '@iommu/core'
import type { FakeDriver, Script } from './fake-driver.js'
import { fakeDriver } from './fake-driver.js'

export type Create = (ops: IommuOps, options?: CoreOptions) => Core

export interface Bench {
  readonly driver: FakeDriver
  readonly core: Core
  readonly warnings: string[]
}

export const device = (name: string, more: Partial<Device> = {}): Device => ({
  name,
  requesterId: name.charCodeAt(0),
  ...more,
})

/** Devices of one group. */
export const together = (...names: readonly string[]): readonly Device[] =>
  names.map((name) => device(name, { isolation: 'g' }))

export const bench = (
  script: Script = {}, devices: readonly Device[] = [], options: CoreOptions = {}, create: Create = createCore,
): Bench => {
  const driver = fakeDriver(script)
  const warnings: string[] = []
  const core = create(driver.ops, { ...options, warn: (sentence) => { warnings.push(sentence) } })
  for (const each of devices) core.probeDevice(each)
  driver.take()
  return { driver, core, warnings }
}

/** The code with which a call is refused; undefined where it is not. */
export const refusal = (call: () => void): IommuErrorCode | undefined => {
  try {
    call()
    return undefined
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined) throw error
    return code
  }
}

export const readWrite = { read: true, write: true }

export interface FakeSpace extends AddressSpace {
  readonly listeners: Set<AddressSpaceListener>
}

export const addressSpace = (name: string): FakeSpace => {
  const listeners = new Set<AddressSpaceListener>()
  return {
    name,
    root: 0x1000n,
    levels: 4,
    pageShift: 12,
    listeners,
    subscribe(listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },
  }
}
