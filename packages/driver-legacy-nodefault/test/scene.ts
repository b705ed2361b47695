// What this driver's tests have in common: hardware of one kind, with two devices.
import type { Device } from '@iommu/core'
import { sceneOf } from '../../../tools/driver-tests/scene.js'
import type { Scene } from '../../../tools/driver-tests/scene.js'
import { kinds } from '../src/backends.js'
import type { LegacyDriver } from '../src/driver.js'
import { createDriver } from '../src/kinds.js'
import type { KindName } from '../src/kinds.js'
import type { LegacyMachine } from '../src/model/machine.js'

export type Made = Scene<LegacyMachine, LegacyDriver>

export const one: Device = { name: 'one', requesterId: 0x20 }
export const two: Device = { name: 'two', requesterId: 0x21 }

export const made = (kind: KindName, devices: readonly Device[] = [one, two]): Made =>
  sceneOf(kinds[kind].createMachine({}), devices, (machine, warn) => createDriver(kind, machine, { warn }))
