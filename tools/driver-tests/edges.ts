// Drivers at the edges of what ids can be: the last one fits, the next one is refused.
import type { Device } from '@iommu/core'
import { expect } from 'vitest'
import type { Scene } from './scene.js'

type Refused = Pick<Device, 'requesterId'> & { readonly says: string }

/** Requester ids from `requesterId` on are refused, and so are negative ones, as an alias too; the one below is one like any other. */
export const expectRequestersEnd = ({ driver }: Scene, { requesterId: beyond, says }: Refused): void => {
  for (const requesterId of [beyond, -1]) {
    expect(() => driver.probeDevice({ name: 'far', requesterId })).toThrow(says)
    expect(() => driver.probeDevice({ name: 'aliased', requesterId: 0x20, aliases: [requesterId] })).toThrow(says)
  }
  driver.probeDevice({ name: 'last', requesterId: beyond - 1 })
}

/** The last PASID that a device has can be set, and the one behind it is refused. */
export const expectPasidsEnd = ({ driver, paging }: Scene, device: Device, says: string): void => {
  const domain = paging()
  const most = driver.maxPasids?.(device) ?? 0
  domain.setDevPasid?.(device, most - 1, undefined)
  expect(() => domain.setDevPasid?.(device, most, undefined)).toThrow(says)
}

/** So many domains have ids of their own; the next one is refused, and takes the id of one that goes. */
export const expectIdsEnd = ({ driver, paging }: Scene, device: Device, count: number, says: string): void => {
  const domains = Array.from({ length: count }, () => paging())
  domains.forEach((domain, index) => domain.setDevPasid?.(device, index + 1, undefined))
  const next = paging()
  expect(() => next.setDevPasid?.(device, count + 1, undefined)).toThrow(says)
  driver.blockedDomain?.setDevPasid?.(device, 7, domains[6])
  next.setDevPasid?.(device, count + 1, undefined)
}
