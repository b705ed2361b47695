// Deferred attach: translation was live before the driver came, and stays until the first DMA map.
import { IommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { CoreContext } from './context.js'
import { memberOf } from './context.js'
import { throwIf } from './refusal.js'

/** Linux, `iommu_deferred_attach`. */
export const deferredAttach = (core: CoreContext, device: Device): void => {
  const member = memberOf(core, device)
  const { defaultDomain } = member.group
  if (!member.attachDeferred || !defaultDomain) return
  if (member.resetDepth > 0) throw new IommuError('EBUSY', `${device.name} is being reset`)
  throwIf(core.steps.attachMember(member, defaultDomain, undefined))
}
