// The states that a translation point can be put in, each with what a DMA must then meet.
import type { Device, Domain, PagingDomain } from '@iommu/core'
import type { TestAddressSpace } from './backend.js'
import type { Answer, Bench } from './bench.js'

/** Addresses that every paging state maps, and one that none maps. */
export const MAPPED = [0x10_0000n, 0x4000_0000n] as const
export const UNMAPPED = 0x20_0000n
export const PROBED: readonly bigint[] = [...MAPPED, UNMAPPED]

export interface State {
  readonly name: string
  readonly domain: Domain
  /** What a read of one of PROBED meets. */
  expected(address: bigint): Answer
}

/** Physical pages of a paging state: no two states share one, and none lies at its own device address. */
const physicalOf = (number: number, index: number): bigint => 0x80_0000n + BigInt(number) * 0x1_0000n + BigInt(index) * 0x2000n

/** A paging domain with two pages mapped, told apart from others by `number`. */
export const pagingState = (
  bench: Bench, device: Device, number: number, format?: string, pasid = false,
): State & { readonly domain: PagingDomain } => {
  const domain = bench.paging(device, format, pasid)
  MAPPED.forEach((iova, index) => bench.map(domain, iova, physicalOf(number, index)))
  return {
    name: `${format ?? 'paging'} #${number}`,
    domain,
    expected: (address) => {
      const index = (MAPPED as readonly bigint[]).indexOf(address)
      return index < 0 ? 'blocked' : physicalOf(number, index)
    },
  }
}

/** A process's tables, with the same two pages mapped; undefined where backend or driver have none. */
export const svaState = (bench: Bench, device: Device, number: number): (State & { readonly cpu: TestAddressSpace }) | undefined => {
  const cpu = bench.ops.manifest.sva.pasid ? bench.addressSpace(`process ${number}`) : undefined
  const domain = cpu && bench.ops.domainAllocSva?.(device, cpu.space)
  if (cpu === undefined || domain === undefined) return undefined
  MAPPED.forEach((iova, index) => cpu.map(iova, physicalOf(number, index)))
  return {
    cpu,
    name: `SVA #${number}`,
    domain,
    expected: (address) => {
      const index = (MAPPED as readonly bigint[]).indexOf(address)
      return index < 0 ? 'blocked' : physicalOf(number, index)
    },
  }
}

/** Two processes on PASIDs: on VT-d they share a domain id with each other and with identity. */
const svaStates = (bench: Bench, device: Device, where: 'rid' | 'pasid'): State[] =>
  (where === 'rid' ? [] : [20, 21].flatMap((number) => svaState(bench, device, number) ?? []))

export const blockedState = (bench: Bench): State => ({ name: 'blocked', domain: bench.blocked, expected: () => 'blocked' })

export const identityState = (bench: Bench): State => ({ name: 'identity', domain: bench.identity, expected: (address) => address })

/** Blocked, identity where declared, one paging domain of every format, and a second one of the first format. */
export const someStates = (bench: Bench, device: Device, where: 'rid' | 'pasid' = 'rid'): State[] => {
  const { manifest } = bench.ops
  const [first] = manifest.formats
  return [
    blockedState(bench),
    ...(manifest.identity[where] ? [identityState(bench)] : []),
    ...manifest.formats.map((format, index) => pagingState(bench, device, index, format, where === 'pasid')),
    ...(first === undefined ? [] : [pagingState(bench, device, manifest.formats.length, first, where === 'pasid')]),
    ...svaStates(bench, device, where),
  ]
}

/** Blocked, identity where declared, and two paging domains of every format: reused ids come from the second round. */
export const allStates = (bench: Bench, device: Device, where: 'rid' | 'pasid' = 'rid'): State[] => {
  const { manifest } = bench.ops
  return [
    blockedState(bench),
    ...(manifest.identity[where] ? [identityState(bench)] : []),
    ...manifest.formats.flatMap((format, index) => [
      pagingState(bench, device, index * 2, format, where === 'pasid'),
      pagingState(bench, device, index * 2 + 1, format, where === 'pasid'),
    ]),
    ...svaStates(bench, device, where),
  ]
}
