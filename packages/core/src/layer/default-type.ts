// Chooses what type of default domain a group gets (Linux, `iommu_get_default_domain_type`).
import { IommuError } from '../errors.js'
import type { Device } from '../contract/device.js'
import type { Domain } from '../contract/domain.js'
import type { IommuOps } from '../contract/driver.js'
import type { CoreContext } from './context.js'
import type { DefaultType } from './face.js'
import type { GroupState } from './group.js'

/** 'static': a legacy driver's own default domain that neither translates nor passes through. */
export type WantedType = DefaultType | 'static'

export const typeOfStatic = (domain: Domain): WantedType => {
  if (domain.kind === 'identity') return 'identity'
  return domain.kind === 'paging' ? 'dma' : 'static'
}

/** Rules 1 and 3: a static default domain says it for all devices, else the driver may say it for each. */
export const driverWish = (ops: IommuOps, device: Device): WantedType | undefined =>
  ops.defaultDomain ? typeOfStatic(ops.defaultDomain) : ops.defDomainType?.(device)

export const isUntrusted = (device: Device): boolean => device.untrusted === true

/** Identity wins: a driver asks for it where translation would not work at all. */
export const settleConflict = (before: WantedType, wish: WantedType): WantedType =>
  wish === 'identity' ? wish : before

const driverWishes = (core: CoreContext, group: GroupState): WantedType | undefined => {
  let wanted: WantedType | undefined
  for (const { device } of group.members) {
    const wish = core.steps.driverWish(core.ops, device)
    if (!wish || wish === wanted) continue
    if (wanted) {
      core.warn(`The driver wants ${wish} for ${device.name}, and ${wanted} for others in group ${group.key}`)
    }
    wanted = wanted ? core.steps.settleConflict(wanted, wish) : wish
  }
  return wanted
}

const refusal = (group: GroupState, why: string): IommuError =>
  new IommuError('EINVAL', `group ${group.key} cannot get a default domain: ${why}`)

/**
 * undefined: nobody has an opinion, the global default decides (rule 7). Rule 2, ARM builds with a DMA API of
 * their own, is `dmaApi: false` here: such a build has no translating default domains either.
 */
export const chooseDefaultType = (
  core: CoreContext, group: GroupState, target: DefaultType | undefined,
): WantedType | undefined => {
  let wanted = driverWishes(core, group)
  if (!core.dmaApi) {
    // Rule 4.
    if (wanted === 'dma') {
      core.warn(`The driver wants group ${group.key} to be translated, but there is no DMA API`)
      throw refusal(group, 'the driver wants it translated, and there is no DMA API')
    }
    wanted ??= 'identity'
  }
  const untrusted = group.members.find(({ device }) => core.steps.isUntrusted(device))
  if (untrusted) {
    // Rule 5.
    if (wanted && wanted !== 'dma') {
      core.warn(`${untrusted.device.name} is not trusted, but would get a default domain of type ${wanted}`)
      throw refusal(group, `${untrusted.device.name} is not trusted, and must be translated, not ${wanted}`)
    }
    wanted = 'dma'
  }
  // Rule 6.
  if (target && wanted && wanted !== target) throw refusal(group, `it has to be ${wanted}, and ${target} was asked for`)
  return target ?? wanted
}
