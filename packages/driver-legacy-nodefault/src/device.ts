// A probed device: its streams, where they are aimed, and how that is changed.
import { IommuError } from '@iommu/core'
import type { Device, Pasid } from '@iommu/core'
import { sourcesOf } from '@iommu/core/driver'
import type { Occupant, Points, Warn } from '@iommu/core/driver'
import { BLOCKED, IDENTITY } from './programming/planner.js'
import type { Aim } from './programming/planner.js'
import type { Unit } from './unit.js'

export interface DeviceState extends Points<DeviceState, Aim> {
  readonly device: Device
  readonly unit: Unit
  /** Its requester id and its aliases: all of them are switched together. */
  readonly streams: readonly number[]
  /** Takes the device out: blocked, or identity where the hardware cannot block. Cannot fail. */
  release(): void
}

/** `rest`: where hardware has the device's streams when the driver comes to them. */
export const probe = (unit: Unit, device: Device, rest: Aim, warn: Warn): DeviceState => {
  const streams = sourcesOf(device)
  for (const stream of streams) {
    const obstacle = unit.planner.obstacle(stream)
    if (obstacle !== undefined) throw new IommuError('ENODEV', obstacle.why, { device: device.name, ...obstacle.values })
  }
  const closed = unit.planner.manifest.blocked.rid ? BLOCKED : IDENTITY
  let live = rest
  const aim = (to: Aim): void => {
    for (const stream of streams) unit.aim(stream, live, to)
  }
  /** To where the device is safe, whatever hardware says. */
  const close = (): void => {
    try {
      aim(closed)
    } catch (error) {
      if (!(error instanceof IommuError)) throw error
      warn(`${device.name} may go on using its old translation: ${error.message}`)
    }
    live = closed
  }
  const occupants = new Map<Pasid, Occupant<DeviceState>>()
  return {
    device,
    unit,
    streams,
    occupants,
    set(_pasid, next) {
      const before = live
      try {
        aim(next)
        live = next
      } catch (error) {
        // Some stream may have changed, or none: all go where nothing is translated, and then back.
        close()
        try {
          aim(before)
          live = before
        } catch (again) {
          if (!(again instanceof IommuError)) throw again
        }
        throw error
      }
    },
    block: close,
    release() {
      if (live !== closed) close()
    },
  }
}
