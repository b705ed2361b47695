// Allocates a group's default domain, sets it, and changes its type.
import { IommuError } from '../errors.js'
import type { Domain, PagingDomain } from '../contract/domain.js'
import { isPaging } from '../contract/domain.js'
import { allocPaging } from './blocking.js'
import type { CoreContext } from './context.js'
import type { WantedType } from './default-type.js'
import { typeOfStatic } from './default-type.js'
import type { DefaultType } from './face.js'
import { discardDomain } from './flush-queue.js'
import type { GroupState, MemberState } from './group.js'
import { attempt } from './refusal.js'

export interface DefaultChoice {
  readonly domain: Domain
  readonly type: DefaultType
}

const firstMember = (group: GroupState): MemberState => {
  const [first] = group.members
  if (!first) throw new IommuError('ENODEV', `group ${group.key} has no devices`)
  return first
}

/**
 * Device drivers may use PASIDs later, and hardware may need a RID's domain of a certain form for that. So the
 * first request asks for it; only "no such feature" makes room for a request without.
 */
export const allocDefaultPaging = (core: CoreContext, member: MemberState): PagingDomain => {
  if (member.maxPasids === 0) return allocPaging(core, member, {})
  let domain: PagingDomain | undefined
  const refused = attempt(() => { domain = allocPaging(core, member, { pasid: true }) })
  if (domain) return domain
  if (refused?.code === 'EOPNOTSUPP') return allocPaging(core, member, {})
  throw refused
}

const allocIdentity = (core: CoreContext, member: MemberState): Domain => {
  const { ops } = core
  const domain = ops.identityDomain ?? ops.domainAllocIdentity?.(member.device)
  if (!domain) throw new IommuError('EOPNOTSUPP', `${ops.manifest.name} has no identity domain`)
  return domain
}

/** A flush queue needs a flush of everything, and is for drivers whose unmap flushes nothing by itself. */
const canQueue = (core: CoreContext, member: MemberState, domain: PagingDomain): boolean =>
  domain.flushIotlbAll !== undefined && core.ops.capable?.(member.device, 'deferred-flush') === true

const allocOfType = (core: CoreContext, group: GroupState, type: DefaultType): DefaultChoice => {
  if (group.defaultDomain && group.defaultType === type) return { domain: group.defaultDomain, type }
  const member = firstMember(group)
  if (type === 'identity') return { domain: allocIdentity(core, member), type }
  const domain = core.steps.allocDefaultPaging(core, member)
  if (type === 'dma' || canQueue(core, member, domain)) return { domain, type }
  core.warn(`${core.ops.manifest.name} cannot defer flushes: group ${group.key} gets a default domain of type dma`)
  return { domain, type: 'dma' }
}

/** A legacy driver's own default domain leaves no choice. */
const staticChoice = (group: GroupState, domain: Domain, wanted: WantedType | undefined): DefaultChoice => {
  const type = typeOfStatic(domain)
  if (wanted && wanted !== type) {
    throw new IommuError('EINVAL', `the driver's own default domain of group ${group.key} is not ${wanted}`)
  }
  // The DMA API neither maps nor flushes on it.
  return { domain, type: type === 'static' ? 'identity' : type }
}

/** Without an opinion the global default is tried, and then `dma` (Linux, `iommu_group_alloc_default_domain`). */
export const allocDefaultDomain = (
  core: CoreContext, group: GroupState, wanted: WantedType | undefined,
): DefaultChoice => {
  if (core.ops.defaultDomain) return staticChoice(group, core.ops.defaultDomain, wanted)
  if (wanted && wanted !== 'static') return allocOfType(core, group, wanted)
  let choice: DefaultChoice | undefined
  const refused = attempt(() => { choice = allocOfType(core, group, core.defaultType) })
  if (choice) return choice
  if (core.defaultType === 'dma') throw refused
  choice = allocOfType(core, group, 'dma')
  core.warn(`Group ${group.key} gets a default domain of type dma, not ${core.defaultType}: ${refused?.message}`)
  return choice
}

const mapDirectOfAll = (core: CoreContext, group: GroupState, domain: Domain): IommuError | undefined => {
  let result: IommuError | undefined
  for (const member of group.members) result = core.steps.mapDirectRegions(core, domain, member) ?? result
  return result
}

/** The first attach may not fail; later ones keep the old default domain if they do. */
const setDefault = (core: CoreContext, group: GroupState, domain: Domain): void => {
  const first = group.domain === undefined
  const refused = core.steps.switchGroup(core, group, domain, first)
  if (!refused) return
  if (first) core.warn(`Group ${group.key} could not be set to its first domain: ${refused.message}`)
  throw refused
}

/**
 * Firmware-requested mappings are made before the attach, so that the device finds them at any time; drivers that
 * cannot map before it get a second try after it (Linux, `iommu_setup_default_domain`).
 */
export const setupDefaultDomain = (core: CoreContext, group: GroupState, target: DefaultType | undefined): void => {
  const before = { domain: group.defaultDomain, type: group.defaultType }
  const { domain, type } = core.steps.allocDefaultDomain(core, group, core.steps.chooseDefaultType(core, group, target))
  if (domain === before.domain) return
  const early = mapDirectOfAll(core, group, domain)
  if (early) core.warn(`The mappings that the firmware requests for group ${group.key} failed: ${early.message}`)
  // Before the switch: a deferred attach is recognised by it.
  group.defaultDomain = domain
  group.defaultType = type
  const refused = attempt(() => {
    setDefault(core, group, domain)
    const late = early && mapDirectOfAll(core, group, domain)
    if (late) throw late
  })
  if (refused && before.domain) {
    if (group.domain === domain) core.steps.switchGroup(core, group, before.domain, true)
    group.defaultDomain = before.domain
    group.defaultType = before.type
    discardDomain(core, domain)
  }
  if (refused) throw refused
  if (before.domain) discardDomain(core, before.domain)
}

/** Sysfs: no driver may be bound, but a flush queue can be brought up under one (Linux, `iommu_group_store_type`). */
export const setDefaultType = (core: CoreContext, group: GroupState, type: DefaultType): void => {
  const { defaultDomain } = group
  if (type === 'dma-fq' && group.defaultType === 'dma' && defaultDomain && isPaging(defaultDomain)) {
    if (!canQueue(core, firstMember(group), defaultDomain)) {
      throw new IommuError('EOPNOTSUPP', `the driver of group ${group.key} cannot defer flushes`)
    }
    group.defaultType = type
    return
  }
  if (group.ownerCount > 0) {
    throw new IommuError('EBUSY', `group ${group.key} is in use`, { users: group.ownerCount })
  }
  core.steps.setupDefaultDomain(core, group, type)
}
