// Changes the ops of a finished driver: a domain's setters, whoever allocates it.
import { decode, encode } from '@iommu/bits'
import { createGather, errorCode, IommuError, isIommuError } from '@iommu/core'
import type { Device, Domain, IommuOps, PagingDomain, Pasid } from '@iommu/core'
import type { TestMachine } from '@iommu/hardware'
import { deviceTableBase, deviceTableEntry, OFFSETS } from '../tables/index.js'

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

/** A device that did not answer: of all failures the one that names the device. */
const isSilence = (error: unknown): boolean => isIommuError(error) && errorCode(error) === 'ENODEV' && 'source' in error.values

/** Every attach does something of its own where a device's TLB has not answered, and throws what comes of it. */
const onSilence = (ops: IommuOps, then: (error: unknown, device: Device, again: () => void) => unknown): IommuOps =>
  alterSetters(ops, (domain) => ({
    attachDev(device, old) {
      try {
        domain.attachDev?.(device, old)
      } catch (error) {
        throw isSilence(error) ? then(error, device, () => domain.attachDev?.(device, old)) : error
      }
    },
  }))

/** The time-out of a device's TLB is told as what it is, and not as a code that attach has. */
export const silenceIsTimeout = (ops: IommuOps): IommuOps =>
  onSilence(ops, () => new IommuError('ETIMEDOUT', 'a device did not answer the invalidation of its TLB'))

/** A device whose TLB does not answer does without it from then on: the domain is set once more, and the first failure is told. */
export const setAgainWithoutTlb = (ops: IommuOps, machines: readonly TestMachine[]): IommuOps =>
  onSilence(ops, (error, { requesterId, unit = 0 }, again) => {
    machines[unit]?.endpoint(requesterId).config.disable('ats')
    again()
    return error
  })

/** Where a domain is tried, and what is written to. */
const TRIAL = { iova: 0x20_0000n, physical: 0x70_0000n, bytes: 0x1000n } as const
const isPaging = (domain: Domain): domain is PagingDomain => domain.kind === 'paging'

/** An attach maps a page that can be written only, so as to try the domain with it, and unmaps it behind itself. */
export const triedWhileAttached = (ops: IommuOps): IommuOps => alterSetters(ops, (domain) => ({
  attachDev(device, old) {
    const paging = isPaging(domain) && domain.iovaToPhys(TRIAL.iova) === undefined ? domain : undefined
    paging?.mapPages(TRIAL.iova, TRIAL.physical, TRIAL.bytes, 1, { read: false, write: true })
    try {
      domain.attachDev?.(device, old)
    } finally {
      const gather = createGather()
      paging?.unmapPages(TRIAL.iova, TRIAL.bytes, 1, gather)
      paging?.iotlbSync?.(gather)
    }
  },
}))

const ENTRY_BYTES = 32n
/** The upper half of an entry's second word: where it lies in bytes, and Cache in it, a hint that no translation depends on. */
const TOP = { at: 12n, cache: Number((encode(deviceTableEntry, { Cache: 1 })[1] as bigint) >> 32n) } as const

/** Each attach sets an entry's hint by a store of 4 bytes, and takes it away when the domain has been set. */
export const hintsBeforeAsking = (ops: IommuOps, machines: readonly TestMachine[]): IommuOps => alterSetters(ops, (domain) => ({
  attachDev(device, old) {
    const { memory, registers } = machines[device.unit ?? 0] as TestMachine
    const { Base } = decode(deviceTableBase, [registers.read64(OFFSETS.DEVTAB_BASE)])
    const at = Base + BigInt(device.requesterId) * ENTRY_BYTES + TOP.at
    memory.store32(at, memory.load32(at) | TOP.cache)
    domain.attachDev?.(device, old)
    memory.store32(at, memory.load32(at) & ~TOP.cache)
  },
}))
