// Changes the ops of a finished driver: a domain's setters, whoever allocates it.
import type { Device, Domain, IommuOps, Pasid } from '@iommu/core'

/** A domain's setters. */
export type Setters = Pick<Domain, 'attachDev' | 'setDevPasid'>

/** The domain with other setters; its other members are its own. Getters of the domain stay alive. */
const withSetters = <D extends Domain>(domain: D, setters: Setters): D =>
  Object.freeze(Object.create(domain, Object.getOwnPropertyDescriptors(setters)) as D)

/** Every domain of the driver with its setters changed. */
export const alterSetters = <O extends IommuOps>(ops: O, change: (domain: Domain) => Setters): O => {
  const altered = <D extends Domain>(domain: D): D => withSetters(domain, change(domain))
  const { blockedDomain, identityDomain, domainAllocPaging, domainAllocSva } = ops
  const blocked = blockedDomain && altered(blockedDomain)
  return {
    ...ops,
    ...(blocked === undefined ? {} : { blockedDomain: blocked, releaseDomain: blocked }),
    ...(identityDomain === undefined ? {} : { identityDomain: altered(identityDomain) }),
    ...(domainAllocPaging === undefined ? {} : {
      domainAllocPaging: (...args: Parameters<typeof domainAllocPaging>) => altered(domainAllocPaging(...args)),
    }),
    ...(domainAllocSva === undefined ? {} : {
      domainAllocSva: (...args: Parameters<typeof domainAllocSva>) => altered(domainAllocSva(...args)),
    }),
  }
}

/** Which PASIDs have been set, by what is seen from outside. */
export const livePasids = (): {
  set(device: Device, pasid: Pasid, domain: Domain): void
  of(device: Device): readonly Pasid[]
} => {
  const live = new Map<Device, Set<Pasid>>()
  return {
    set(device, pasid, domain) {
      const pasids = live.get(device) ?? new Set()
      live.set(device, pasids)
      if (domain.kind === 'blocked') pasids.delete(pasid)
      else pasids.add(pasid)
    },
    of: (device) => [...live.get(device) ?? []],
  }
}
