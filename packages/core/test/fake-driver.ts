// A driver without hardware: writes down every call, refuses what it is told to refuse, keeps mappings in a list.
import type {
  Access, BlockedDomain, DefaultDomainType, Device, Domain, Gather, IdentityDomain, IommuErrorCode, IommuOps, Manifest,
  PagingDomain, PagingRequest, SvaDomain,
} from '@iommu/core'
import { CONTRACT, IommuError, gatherAdd } from '@iommu/core'

/** What the driver is to be like. Absent: a modern driver with everything. */
export interface Script {
  readonly contract?: number
  readonly blocked?: 'rid' | false
  readonly identity?: 'pasid' | false
  readonly release?: 'identity' | false
  readonly staticDefault?: 'platform' | 'identity'
  readonly standInBlocks?: boolean
  readonly noPaging?: boolean
  readonly pasidDefaults?: boolean
  readonly maxPasids?: number | Readonly<Record<string, number>>
  readonly wishes?: Readonly<Record<string, DefaultDomainType>>
  readonly deferred?: boolean
  readonly ignoresGather?: boolean
  readonly deferredFlush?: boolean
  readonly pageSizes?: bigint
  /** Bytes that a map of more than that stops after. */
  readonly mapLimit?: bigint
}

export interface FakeDriver {
  readonly ops: IommuOps
  /** Every call, in order: "attach paging1 a was none". */
  readonly calls: string[]
  /** The calls since the last look. */
  take(): string[]
  /** Calls that begin like this are refused, until `allow`. */
  refuse(call: string, code: IommuErrorCode): void
  allow(): void
  /** Run during calls that begin like this. */
  during(call: string, act: () => void): void
  /** Names of the domains that have not been freed. */
  readonly alive: ReadonlySet<string>
  nameOf(domain: Domain | undefined): string
}

interface Leaf {
  readonly iova: bigint
  readonly physical: bigint
  readonly size: bigint
}

const hex = (value: bigint): string => value.toString(16)

const manifest = (script: Script): Manifest => ({
  contract: script.contract ?? CONTRACT,
  name: 'driver-fake',
  hardware: 'none',
  blocked: { rid: script.blocked !== false, pasid: script.blocked === undefined },
  identity: { rid: script.identity !== false, pasid: script.identity === 'pasid' },
  paging: { rid: true, pasid: true },
  sva: { rid: false, pasid: true },
  maxPasids: 8,
  pasidsOutliveBlockedRid: true,
  standInBlocks: script.standInBlocks ?? true,
  formats: ['fake'],
  hitless: [],
  limits: {},
})

export const fakeDriver = (script: Script = {}): FakeDriver => {
  const owner = Symbol('fake')
  const calls: string[] = []
  const alive = new Set<string>()
  const names = new Map<Domain, string>()
  const refusals: { call: string; code: IommuErrorCode }[] = []
  const hooks: { call: string; act: () => void }[] = []
  let looked = 0
  let count = 0

  const nameOf = (domain: Domain | undefined): string => (domain && names.get(domain)) ?? 'none'
  const matches = (call: string) => (other: { readonly call: string }): boolean =>
    `${call} `.startsWith(`${other.call} `)
  const say = (call: string): void => {
    calls.push(call)
    for (const hook of hooks.filter(matches(call))) hook.act()
    const refusal = refusals.find(matches(call))
    if (refusal) throw new IommuError(refusal.code, `told to refuse "${call}"`)
  }
  const attach = (name: string) => (device: Device, old: Domain | undefined): void =>
    say(`attach ${name} ${device.name} was ${nameOf(old)}`)
  const setPasid = (name: string) => (device: Device, pasid: number, old: Domain | undefined): void =>
    say(`pasid ${name} ${device.name}:${pasid} was ${nameOf(old)}`)

  const blockedDomain: BlockedDomain = {
    kind: 'blocked',
    attachDev: attach('blocked'),
    ...(script.blocked === undefined ? { setDevPasid: setPasid('blocked') } : {}),
  }
  const identityDomain: IdentityDomain = {
    kind: 'identity',
    attachDev: attach('identity'),
    ...(script.identity === 'pasid' ? { setDevPasid: setPasid('identity') } : {}),
  }
  const staticDefault: Domain = { kind: script.staticDefault ?? 'platform', attachDev: attach('static') }
  names.set(blockedDomain, 'blocked').set(identityDomain, 'identity').set(staticDefault, 'static')

  const free = (name: string) => (): void => {
    say(`free ${name}`)
    alive.delete(name)
  }

  const paging = (_device: Device, request: PagingRequest): PagingDomain => {
    say(request.pasid ? 'alloc paging+pasid' : 'alloc paging')
    if (request.pasid && script.pasidDefaults === false) throw new IommuError('EOPNOTSUPP', 'no PASIDs')
    const name = `paging${count += 1}`
    const leaves: Leaf[] = []
    const leafAt = (iova: bigint): Leaf | undefined =>
      leaves.find((leaf) => leaf.iova <= iova && iova < leaf.iova + leaf.size)
    const domain: PagingDomain = {
      kind: 'paging',
      owner,
      pageSizes: script.pageSizes ?? 0x4020_1000n,
      aperture: { start: 0n, end: (1n << 48n) - 1n },
      pasidCapable: true,
      attachDev: attach(name),
      setDevPasid: setPasid(name),
      mapPages(iova: bigint, physical: bigint, pageSize: bigint, pages: number, _access: Access) {
        let mapped = 0n
        try {
          say(`map ${name} ${hex(iova)} ${hex(physical)} ${hex(pageSize)}x${pages}`)
          for (let page = 0; page < pages; page += 1) {
            if (leafAt(iova + mapped)) throw new IommuError('EADDRINUSE', 'there is a leaf already', { iova })
            if (script.mapLimit !== undefined && mapped >= script.mapLimit) throw new IommuError('ENOMEM', 'no table')
            leaves.push({ iova: iova + mapped, physical: physical + mapped, size: pageSize })
            mapped += pageSize
          }
          return { mapped }
        } catch (error) {
          if (error instanceof IommuError) return { mapped, error }
          throw error
        }
      },
      unmapPages(iova: bigint, pageSize: bigint, pages: number, gather: Gather) {
        say(`unmap ${name} ${hex(iova)} ${hex(pageSize)}x${pages}`)
        const size = pageSize * BigInt(pages)
        let unmapped = 0n
        while (unmapped < size) {
          const leaf = leafAt(iova + unmapped)
          if (leaf?.iova !== iova + unmapped) break
          leaves.splice(leaves.indexOf(leaf), 1)
          unmapped += leaf.size
        }
        if (unmapped > 0n && !script.ignoresGather) gatherAdd(gather, iova, unmapped, pageSize)
        return unmapped
      },
      iotlbSyncMap: (iova, size) => say(`syncmap ${name} ${hex(iova)}+${hex(size)}`),
      iotlbSync: (gather) => say(`sync ${name} ${hex(gather.start)}-${hex(gather.end)}`),
      flushIotlbAll: () => say(`flush ${name}`),
      iovaToPhys(iova) {
        const leaf = leafAt(iova)
        return leaf && leaf.physical + iova - leaf.iova
      },
      free: free(name),
    }
    names.set(domain, name)
    alive.add(name)
    return domain
  }

  const sva: NonNullable<IommuOps['domainAllocSva']> = (_device, addressSpace) => {
    say('alloc sva')
    const name = `sva${count += 1}`
    const domain: SvaDomain = { kind: 'sva', owner, addressSpace, setDevPasid: setPasid(name), free: free(name) }
    names.set(domain, name)
    alive.add(name)
    return domain
  }

  const { maxPasids = 8 } = script
  const ops: IommuOps = {
    manifest: manifest(script),
    owner,
    ...(script.blocked === false ? {} : { blockedDomain }),
    ...(script.identity === false ? {} : { identityDomain }),
    ...(script.release === false ? {} : releaseOf(script, blockedDomain, identityDomain)),
    ...(script.staticDefault ? { defaultDomain: staticDefault } : {}),
    ...(script.noPaging ? {} : { domainAllocPaging: paging }),
    domainAllocSva: sva,
    capable: (_device, capability) => capability === 'deferred-flush' && script.deferredFlush !== false,
    probeDevice: (device) => say(`probe ${device.name}`),
    probeFinalize: (device) => say(`finalize ${device.name}`),
    releaseDevice: (device) => say(`release ${device.name}`),
    deviceGroup: (device) => {
      if (refusals.some(matches(`group ${device.name}`))) throw new IommuError('ENOMEM', 'no group')
      return device.isolation ?? device.name
    },
    isAttachDeferred: () => script.deferred ?? false,
    defDomainType: (device) => script.wishes?.[device.name],
    maxPasids: (device) => (typeof maxPasids === 'number' ? maxPasids : maxPasids[device.name] ?? 0),
  }

  return {
    ops,
    calls,
    take() {
      const seen = calls.slice(looked)
      looked = calls.length
      return seen
    },
    refuse: (call, code) => { refusals.push({ call, code }) },
    allow: () => { refusals.length = 0 },
    during: (call, act) => { hooks.push({ call, act }) },
    alive,
    nameOf,
  }
}

const releaseOf = (
  script: Script, blocked: BlockedDomain, identity: IdentityDomain,
): { readonly releaseDomain?: Domain } => {
  if (script.release === 'identity') return { releaseDomain: identity }
  return script.blocked === false ? {} : { releaseDomain: blocked }
}
