// The bench: a machine, a driver and a core layer, fresh for each case, and the probes that a case may make.
import { createGather } from '@iommu/core'
import type { Access, AddressSpace, Core, CoreOptions, Device, Domain, IommuOps, PagingDomain } from '@iommu/core'
import { outcomeKey } from '@iommu/hardware'
import type { DmaRequest, EndpointCapabilities, HardwareEvent, TestMachine } from '@iommu/hardware'
import type { Backend, CreateCore, TestAddressSpace } from './backend.js'
import { fail } from './check.js'
import { traceOps } from './trace.js'
import type { Trace } from './trace.js'

/** Where a DMA comes from: a device, and a PASID where it has one. */
export interface Point {
  readonly device: Device
  readonly pasid?: number
}

/** A device of a case, and what its configuration space offers. */
export interface DeviceSpec extends Partial<Omit<Device, 'name'>> {
  readonly requesterId: number
  readonly endpoint?: EndpointCapabilities
}

/** The answer to a DMA: where it goes, or that it is blocked. */
export type Answer = bigint | 'blocked'

export interface BenchOptions {
  readonly devices?: readonly DeviceSpec[]
  readonly core?: CoreOptions
  /** Changes the driver before the core sees it: to leave something out, or to declare something. */
  readonly alter?: (ops: IommuOps) => IommuOps
}

export interface Bench {
  readonly ops: IommuOps
  readonly core: Core
  readonly trace: Trace
  readonly devices: readonly Device[]
  readonly device: Device
  readonly machine: TestMachine
  readonly warnings: string[]
  readonly blocked: Domain
  readonly identity: Domain
  machineOf(device: Device): TestMachine
  /** The driver probes the devices, without the core layer. */
  probe(...devices: readonly Device[]): void
  paging(device: Device, format?: string, pasid?: boolean): PagingDomain
  /** An address space of the machine's CPU; undefined where the backend makes none. */
  addressSpace(name: string): TestAddressSpace | undefined
  /** Maps one run of the domain's smallest pages, and syncs. */
  map(domain: PagingDomain, iova: bigint, physical: bigint, pages?: number, access?: Access): void
  unmap(domain: PagingDomain, iova: bigint, pages?: number): bigint
  /** The DMA happens, and caches learn from it. */
  dma(point: Point, address: bigint, access?: 'read' | 'write'): Answer
  /** Everything that the DMA may meet now, under each of the device's requester ids. */
  answers(point: Point, address: bigint, access?: 'read' | 'write'): readonly Answer[]
  /** As `answers`, with everything that an answer consists of: address, tag and attributes. Equal strings, equal answers. */
  whole(point: Point, address: bigint, access?: 'read' | 'write'): readonly string[]
  /** The only answer; fails where there are several. */
  answer(point: Point, address: bigint, access?: 'read' | 'write'): Answer
  expect(what: string, point: Point, address: bigint, expected: Answer, access?: 'read' | 'write'): void
  expectBlocked(what: string, point: Point): void
  /** Calls `look` after every step at which hardware may look, while `run` runs. */
  watch(run: () => void, look: (event: HardwareEvent) => void): void
  readonly counts: { stores: number; transitions: number }
}

export const READ_WRITE: Access = { read: true, write: true }
export const PAGE = 0x1000n

/** Two devices with PASIDs, on one bus, each in a group of its own. */
const DEFAULT_DEVICES: readonly DeviceSpec[] = [
  { requesterId: 0x0020, endpoint: { pasidWidth: 20 } },
  { requesterId: 0x0028, endpoint: { pasidWidth: 20 } },
]

const nameOf = (source: number): string =>
  `0000:${(source >> 8).toString(16).padStart(2, '0')}:${((source >> 3) & 31).toString(16).padStart(2, '0')}.${source & 7}`

/** Addresses at which a blocked point must fault: the first and last page, the middle, and where things are mapped. */
export const probeAddresses = (backend: Backend): bigint[] => {
  const top = (1n << BigInt(backend.deviceBits)) - PAGE
  const all = [0n, 0x1000n, 0x10_0000n, 0x4000_0000n, 0x1_0000_0000n, top]
  return all.filter((each) => backend.exempt === undefined || each < backend.exempt.start || each > backend.exempt.end)
}

export const createBench = (backend: Backend, createCore: CreateCore, options: BenchOptions = {}): Bench => {
  const specs = options.devices ?? DEFAULT_DEVICES
  const devices: Device[] = specs.map(({ endpoint: _endpoint, ...spec }) => ({ name: nameOf(spec.requesterId), ...spec }))
  const endpoints = new Map(specs.flatMap(({ requesterId, endpoint }) => (endpoint === undefined ? [] : [[requesterId, endpoint] as const])))
  const units = Math.max(0, ...devices.map(({ unit }) => unit ?? 0)) + 1
  const machines: TestMachine[] = []
  for (let unit = 0; unit < units; unit++) {
    machines.push(backend.createMachine({ endpoints, unit, ...(machines[0] === undefined ? {} : { first: machines[0] }) }))
  }
  const machine = machines[0] as TestMachine
  const warnings: string[] = []
  const warn = (sentence: string): void => void warnings.push(sentence)
  const counts = { stores: 0, transitions: 0 }
  machine.observe(({ kind }) => {
    if (kind === 'store') counts.stores++
  })
  const driver = backend.createDriver(machines, { warn })
  const trace = traceOps(options.alter?.(driver) ?? driver)
  const { ops } = trace
  const core = createCore(ops, { warn, ...options.core })
  const machineOf = (device: Device): TestMachine => machines[device.unit ?? 0] as TestMachine
  const sources = ({ requesterId, aliases }: Device): number[] => [requesterId, ...(aliases ?? [])]
  const request = (source: number, pasid: number | undefined, address: bigint, access: 'read' | 'write'): DmaRequest => ({
    source, kind: 'untranslated', address, access, ...(pasid === undefined ? {} : { pasid }),
  })
  const watchers = new Set<(event: HardwareEvent) => void>()

  const bench: Bench = {
    ops,
    core,
    trace,
    devices,
    device: devices[0] as Device,
    machine,
    warnings,
    counts,
    get blocked() { return ops.blockedDomain ?? fail('the driver has no blocked domain') },
    get identity() { return ops.identityDomain ?? fail('the driver has no identity domain') },
    machineOf,
    probe(...each) {
      for (const device of each) ops.probeDevice(device)
      for (const device of each) ops.probeFinalize?.(device)
    },
    paging(device, format, pasid) {
      const allocate = ops.domainAllocPaging
      if (allocate === undefined) return fail('the driver allocates no paging domains')
      return allocate(device, { ...(format === undefined ? {} : { format }), ...(pasid === true ? { pasid } : {}) })
    },
    addressSpace: (name) => backend.createAddressSpace?.(machine, name),
    map(domain, iova, physical, pages = 1, access = READ_WRITE) {
      const size = domain.pageSizes & -domain.pageSizes
      const { mapped, error } = domain.mapPages(iova, physical, size, pages, access)
      if (error !== undefined) throw error
      domain.iotlbSyncMap?.(iova, mapped)
    },
    unmap(domain, iova, pages = 1) {
      const gather = createGather()
      const removed = domain.unmapPages(iova, domain.pageSizes & -domain.pageSizes, pages, gather)
      domain.iotlbSync?.(gather)
      return removed
    },
    dma({ device, pasid }, address, access = 'read') {
      const [outcome] = sources(device).map((source) => machineOf(device).dma(request(source, pasid, address, access)))
      return outcome?.result === 'translated' ? outcome.address : 'blocked'
    },
    answers({ device, pasid }, address, access = 'read') {
      const all = sources(device).flatMap((source) => machineOf(device).outcomes(request(source, pasid, address, access)))
      return [...new Set(all.map((outcome): Answer => (outcome.result === 'translated' ? outcome.address : 'blocked')))]
    },
    whole({ device, pasid }, address, access = 'read') {
      const all = sources(device).flatMap((source) => machineOf(device).outcomes(request(source, pasid, address, access)))
      return [...new Set(all.map(outcomeKey))]
    },
    answer(point, address, access) {
      const all = bench.answers(point, address, access)
      if (all.length !== 1) fail(`DMA to 0x${address.toString(16)} may meet ${all.map(show).join(' or ')}`)
      return all[0] as Answer
    },
    expect(what, point, address, expected, access = 'read') {
      const all = bench.answers(point, address, access)
      if (all.length === 1 && all[0] === expected) return
      fail(`${what}: ${access} of 0x${address.toString(16)} by ${nameOfPoint(point)}: expected ${show(expected)}, found ${all.map(show).join(' or ')}`)
    },
    expectBlocked(what, point) {
      for (const address of probeAddresses(backend)) {
        for (const access of ['read', 'write'] as const) bench.expect(what, point, address, 'blocked', access)
      }
    },
    watch(run, look) {
      watchers.add(look)
      const stop = machines.filter((each, index) => index === 0 || each.memory !== machine.memory)
        .map((each) => each.observe((event) => {
          // What the look itself does is not a step of the driver.
          if (!watchers.delete(look)) return
          try {
            look(event)
          } finally {
            watchers.add(look)
          }
        }))
      try {
        run()
      } finally {
        watchers.delete(look)
        for (const each of stop) each()
      }
    },
  }
  return bench
}

const show = (answer: Answer): string => (answer === 'blocked' ? 'blocked' : `0x${answer.toString(16)}`)
const nameOfPoint = ({ device, pasid }: Point): string => (pasid === undefined ? device.name : `${device.name} PASID ${pasid}`)

/** An address space without tables of its own, for statements that need no translation by it. */
export const createAddressSpace = (name: string, root = 0n): AddressSpace => ({
  name, root, levels: 4, pageShift: 12, subscribe: () => () => undefined,
})

