// The states that a translation point can be put in, each with what a DMA must then meet.
import type { Device, Domain, Manifest, PagingDomain } from '@iommu/core'
import type { Backend, TestAddressSpace } from './backend.js'
import type { Answer, Bench } from './bench.js'

const MAPPED = [0x10_0000n, 0x4000_0000n] as const
const UNMAPPED = 0x20_0000n
const BASE = 0x4000_0000n
/** Aligned to the largest page that is mapped, and above everything that statements choose by `physical`. */
const TARGET = 0x4000_0000n

/** Device addresses of the statements on a backend. */
export interface Addresses {
  /** Every paging state maps these. */
  readonly mapped: readonly [bigint, bigint]
  /** None maps this one. */
  readonly unmapped: bigint
  /** All of these. */
  readonly probed: readonly bigint[]
  /** Where statements about mappings map. */
  readonly base: bigint
  /** What they map there: physical, aligned to the largest page. */
  readonly target: bigint
  /** A physical address, by how far it lies above the start of memory. */
  physical(offset: bigint): bigint
}

export const addressesOf = ({ mapped = MAPPED, unmapped = UNMAPPED, base = BASE, physicalBase = 0n }: Backend): Addresses => ({
  mapped, unmapped, probed: [...mapped, unmapped], base, target: physicalBase + TARGET, physical: (offset) => physicalBase + offset,
})

/** The formats that can be set on requester ids, or on PASIDs. */
export const formatsFor = ({ formats, pasidFormats, paging }: Manifest, where: 'rid' | 'pasid'): readonly string[] =>
  (!paging[where] ? [] : where === 'rid' ? formats : pasidFormats ?? formats)

/** Whether PASIDs can be alive while the requester id is on a kind of state. */
export const isOverPasids = ({ pasidsUnder, pasidsOutliveBlockedRid }: Manifest, kind: string): boolean =>
  pasidsUnder?.includes(kind) ?? (kind !== 'blocked' || pasidsOutliveBlockedRid)

export interface State {
  readonly name: string
  /** "blocked", "identity", "sva" or a format: as manifests name states. */
  readonly kind: string
  readonly domain: Domain
  /** What a read of one of the probed addresses meets. */
  expected(address: bigint): Answer
}

/** Physical pages of a paging state: no two states share one, none lies at its own device address, and 64 KiB pages fit. */
const physicalOf = ({ physical }: Addresses, number: number, index: number): bigint =>
  physical(0x80_0000n + BigInt(number) * 0x4_0000n + BigInt(index) * 0x2_0000n)

/** A paging domain with two pages mapped, told apart from others by `number`. */
export const pagingState = (
  bench: Bench, device: Device, number: number, format?: string, pasid = false,
): State & { readonly domain: PagingDomain } => {
  const domain = bench.paging(device, format, pasid)
  const { mapped } = bench.addresses
  mapped.forEach((iova, index) => bench.map(domain, iova, physicalOf(bench.addresses, number, index)))
  return {
    name: `${format ?? 'paging'} #${number}`,
    kind: format ?? formatsFor(bench.ops.manifest, pasid ? 'pasid' : 'rid')[0] ?? 'paging',
    domain,
    expected: (address) => {
      const index = (mapped as readonly bigint[]).indexOf(address)
      return index < 0 ? 'blocked' : physicalOf(bench.addresses, number, index)
    },
  }
}

/** A process's tables, with the same two pages mapped; undefined where backend or driver have none. */
export const svaState = (bench: Bench, device: Device, number: number): (State & { readonly cpu: TestAddressSpace }) | undefined => {
  const cpu = bench.ops.manifest.sva.pasid ? bench.addressSpace(`process ${number}`) : undefined
  const domain = cpu && bench.ops.domainAllocSva?.(device, cpu.space)
  if (cpu === undefined || domain === undefined) return undefined
  const { mapped } = bench.addresses
  mapped.forEach((iova, index) => cpu.map(iova, physicalOf(bench.addresses, number, index)))
  return {
    cpu,
    name: `SVA #${number}`,
    kind: 'sva',
    domain,
    expected: (address) => {
      const index = (mapped as readonly bigint[]).indexOf(address)
      return index < 0 ? 'blocked' : physicalOf(bench.addresses, number, index)
    },
  }
}

/** Two processes on PASIDs: on VT-d they share a domain id with each other and with identity. */
const svaStates = (bench: Bench, device: Device, where: 'rid' | 'pasid'): State[] =>
  (where === 'rid' ? [] : [20, 21].flatMap((number) => svaState(bench, device, number) ?? []))

export const blockedState = (bench: Bench): State => ({ name: 'blocked', kind: 'blocked', domain: bench.blocked, expected: () => 'blocked' })

export const identityState = (bench: Bench): State => ({ name: 'identity', kind: 'identity', domain: bench.identity, expected: (address) => address })

/** Blocked and identity, where declared. */
export const staticStates = (bench: Bench, where: 'rid' | 'pasid'): State[] => [
  ...(bench.ops.manifest.blocked[where] ? [blockedState(bench)] : []),
  ...(bench.ops.manifest.identity[where] ? [identityState(bench)] : []),
]

/** The static ones that are declared, one paging domain of every format, and a second one of the first format. */
export const someStates = (bench: Bench, device: Device, where: 'rid' | 'pasid' = 'rid'): State[] => {
  const formats = formatsFor(bench.ops.manifest, where)
  return [
    ...staticStates(bench, where),
    ...formats.map((format, index) => pagingState(bench, device, index, format, where === 'pasid')),
    ...formats.slice(0, 1).map((format) => pagingState(bench, device, formats.length, format, where === 'pasid')),
    ...svaStates(bench, device, where),
  ]
}

/** The static ones that are declared, and two paging domains of every format: reused ids come from the second round. */
export const allStates = (bench: Bench, device: Device, where: 'rid' | 'pasid' = 'rid'): State[] => [
  ...staticStates(bench, where),
  ...formatsFor(bench.ops.manifest, where).flatMap((format, index) => [
    pagingState(bench, device, index * 2, format, where === 'pasid'),
    pagingState(bench, device, index * 2 + 1, format, where === 'pasid'),
  ]),
  ...svaStates(bench, device, where),
]

/** A state of the requester id under which PASIDs can be alive: of paging tables where there is one. */
export const ridOverPasids = (bench: Bench, device: Device, number: number): State => {
  const { manifest } = bench.ops
  const format = formatsFor(manifest, 'rid').find((each) => isOverPasids(manifest, each))
  if (format !== undefined) return pagingState(bench, device, number, format)
  return manifest.identity.rid && isOverPasids(manifest, 'identity') ? identityState(bench) : blockedState(bench)
}

/** How a core layer is asked for a domain for PASIDs: by a format that fits. */
export const pasidRequest = (manifest: Manifest): { readonly pasid: true; readonly format?: string } => {
  const [format] = formatsFor(manifest, 'pasid')
  return { pasid: true, ...(format === undefined ? {} : { format }) }
}

/** A PASID, or the last one where there are fewer. */
export const pasidNear = ({ maxPasids }: Manifest, pasid: number): number => Math.min(pasid, maxPasids - 1)
