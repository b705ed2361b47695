// A mutant of any driver: a wrapper that breaks it in one way.
import type { Device, Domain, IommuOps, Manifest, PagingDomain } from '@iommu/core'
import type { TestMachine } from '@iommu/hardware'
import { changed } from '../changed.js'

/** What a mutant is made from. */
export interface MutantSetup {
  readonly machines: readonly TestMachine[]
  readonly warn: (sentence: string) => void
}

export interface OpsMutant {
  readonly id: string
  readonly title: string
  /** The first must fail; nothing else may. */
  readonly breaks: readonly string[]
  alter(ops: IommuOps, setup: MutantSetup): IommuOps
  /** On which backend it is judged: the first that fits; the very first where absent. */
  readonly where?: (manifest: Manifest) => boolean
  /** It shows only on some hardware: judged on each backend until one catches it. */
  readonly anywhere?: boolean
}

/** Exchanges members of the blocked domain. */
export const alterBlocked = (
  change: (blocked: NonNullable<IommuOps['blockedDomain']>, ops: IommuOps, setup: MutantSetup) => Partial<NonNullable<IommuOps['blockedDomain']>>,
) => (ops: IommuOps, setup: MutantSetup): IommuOps => {
  if (ops.blockedDomain === undefined) return ops
  const blockedDomain = changed(ops.blockedDomain, change(ops.blockedDomain, ops, setup))
  return { ...ops, blockedDomain, ...(ops.releaseDomain === ops.blockedDomain ? { releaseDomain: blockedDomain } : {}) }
}

/** Exchanges members of the identity domain. */
export const alterIdentity = (
  change: (identity: NonNullable<IommuOps['identityDomain']>, ops: IommuOps, setup: MutantSetup) => Partial<NonNullable<IommuOps['identityDomain']>>,
) => (ops: IommuOps, setup: MutantSetup): IommuOps =>
  (ops.identityDomain === undefined ? ops : { ...ops, identityDomain: changed(ops.identityDomain, change(ops.identityDomain, ops, setup)) })

/** Exchanges members of every paging domain. */
export const alterPaging = (
  change: (domain: PagingDomain, ops: IommuOps, device: Device, setup: MutantSetup) => Partial<PagingDomain>,
) => (ops: IommuOps, setup: MutantSetup): IommuOps => {
  const allocate = ops.domainAllocPaging
  return allocate === undefined ? ops : {
    ...ops,
    domainAllocPaging(device, request) {
      const domain = allocate(device, request)
      return changed(domain, change(domain, ops, device, setup))
    },
  }
}

/** Runs `before` ahead of every attach, whatever the domain. */
export const beforeEveryAttach = (
  before: (device: Device, domain: Domain, ops: IommuOps, setup: MutantSetup, old: Domain | undefined) => void,
) => (ops: IommuOps, setup: MutantSetup): IommuOps => {
  const first = <D extends Domain>(domain: D): Partial<Domain> => ({
    attachDev(device, old) {
      before(device, domain, ops, setup, old)
      domain.attachDev?.(device, old)
    },
  })
  return alterPaging((domain) => first(domain) as Partial<PagingDomain>)(
    alterIdentity((domain) => first(domain) as typeof domain)(alterBlocked((domain) => first(domain) as typeof domain)(ops, setup), setup), setup)
}
