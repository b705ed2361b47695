// The bench: a machine, a driver and a core layer, fresh for each case, and the probes that a case may make.
import { createGather } from '@iommu/core'
import type { Access, AddressSpace, Core, CoreOptions, Device, Domain, IommuOps, PagingDomain } from '@iommu/core'
import { outcomeKey } from '@iommu/hardware'
import type { Adversary, AdversaryOptions, DmaRequest, EndpointCapabilities, HardwareEvent, TestMachine } from '@iommu/hardware'
import type { Backend, CreateCore, TestAddressSpace } from './backend.js'
import { fail, notDeclared } from './check.js'
import { addressesOf, formatsFor } from './states.js'
import type { Addresses } from './states.js'
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
  /** Adversarial mode over every unit, from before the driver on; where the backend has it. */
  readonly adversary?: AdversaryOptions
}

export interface Bench {
  readonly ops: IommuOps
  /** Keeps the statement out where nothing is declared that could be a default domain. */
  readonly core: Core
  readonly trace: Trace
  readonly devices: readonly Device[]
  readonly device: Device
  readonly machine: TestMachine
  readonly addresses: Addresses
  /** Over unit 0; there where the bench was asked for it and the backend has it. */
  readonly adversary: Adversary | undefined
  /** One over each unit, by number; none where there is none over unit 0. */
  readonly adversaries: readonly Adversary[]
  readonly warnings: string[]
  /** The static domains. What the manifest does not declare keeps the statement out. */
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
  /** Fails where a DMA may meet anything else. `only`: reads or writes alone; both where absent. */
  expect(what: string, point: Point, address: bigint, expected: Answer, only?: 'read' | 'write'): void
  expectBlocked(what: string, point: Point): void
  /**
   * Calls `look` after every step at which hardware may look, while `run` runs. The first thing that a look throws is
   * thrown when `run` is over, and nothing is looked at after it: a driver may not notice, and cannot catch it.
   */
  watch(run: () => void, look: (event: HardwareEvent) => void): void
  /** What has happened on this bench so far. */
  readonly counts: { readonly stores: number; readonly transitions: number; readonly failures: number }
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
  const all = new Set([0n, 0x1000n, ...addressesOf(backend).mapped, 0x1_0000_0000n, top])
  const { exempt, untranslated } = backend
  return [...all].filter((each) => each <= top && (exempt === undefined || each < exempt.start || each > exempt.end) && untranslated?.(each) !== true)
}

const ACCESSES = ['read', 'write'] as const
const FRAME_WORDS = 512n

/** Adversarial mode over the units of a machine whose memory at address 0 is a lure. */
const assail = ({ lure, createAdversary }: Backend, machines: readonly TestMachine[], options: AdversaryOptions): Adversary[] => {
  if (createAdversary === undefined) return []
  for (let word = 0n; lure !== undefined && word < FRAME_WORDS; word++) machines[0]?.memory.store64(word * 8n, lure)
  return machines.map((machine) => createAdversary(machine, options))
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
  const adversaries = options.adversary === undefined ? [] : assail(backend, machines, options.adversary)
  const warnings: string[] = []
  const warn = (sentence: string): void => void warnings.push(sentence)
  let stores = 0
  machine.observe(({ kind }) => {
    if (kind === 'store') stores++
  })
  const driver = backend.createDriver(machines, { warn })
  const trace = traceOps(options.alter?.(driver) ?? driver)
  const { ops } = trace
  const whole = createCore(ops, { warn, ...options.core })
  const core: Core = Object.create(whole, {
    allocPaging: {
      value: ((device, request) => (ops.manifest.paging.rid ? whole.allocPaging(device, request) : notDeclared('paging domains'))) satisfies Core['allocPaging'],
    },
  }) as Core
  const machineOf = (device: Device): TestMachine => machines[device.unit ?? 0] as TestMachine
  const sources = ({ requesterId, aliases }: Device): number[] => [requesterId, ...(aliases ?? [])]
  const request = (source: number, pasid: number | undefined, address: bigint, access: 'read' | 'write'): DmaRequest => ({
    source, kind: 'untranslated', address, access, ...(pasid === undefined ? {} : { pasid }),
  })
  const watchers = new Set<(event: HardwareEvent) => void>()

  const bench: Bench = {
    ops,
    get core() {
      const { identity, paging } = ops.manifest
      return identity.rid || paging.rid || ops.defaultDomain !== undefined ? core : notDeclared('a default domain, identity or paging')
    },
    trace,
    devices,
    device: devices[0] as Device,
    machine,
    addresses: addressesOf(backend),
    adversary: adversaries[0],
    adversaries,
    warnings,
    get counts() {
      return {
        stores,
        transitions: trace.transitions,
        failures: trace.refused + machines.reduce((sum, { fail: { injected = 0 } }) => sum + injected, 0),
      }
    },
    get blocked() {
      return ops.blockedDomain ?? (ops.manifest.blocked.rid ? fail('the driver has no blocked domain') : notDeclared('a blocked domain'))
    },
    get identity() {
      return ops.identityDomain ?? (ops.manifest.identity.rid ? fail('the driver has no identity domain') : notDeclared('identity'))
    },
    machineOf,
    probe(...each) {
      for (const device of each) ops.probeDevice(device)
      for (const device of each) ops.probeFinalize?.(device)
    },
    paging(device, asked, pasid) {
      const { manifest, domainAllocPaging: allocate } = ops
      if (!manifest.paging[pasid === true ? 'pasid' : 'rid']) return notDeclared(pasid === true ? 'paging domains on PASIDs' : 'paging domains')
      if (allocate === undefined) return fail('the driver allocates no paging domains')
      const format = asked ?? (pasid === true ? formatsFor(manifest, 'pasid')[0] : undefined)
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
    expect(what, point, address, expected, only) {
      for (const access of only === undefined ? ACCESSES : [only]) {
        const all = bench.answers(point, address, access)
        if (all.length === 1 && all[0] === expected) continue
        fail(`${what}: ${access} of 0x${address.toString(16)} by ${nameOfPoint(point)}: expected ${show(expected)}, found ${all.map(show).join(' or ')}`)
      }
    },
    expectBlocked(what, point) {
      for (const address of probeAddresses(backend)) bench.expect(what, point, address, 'blocked')
    },
    watch(run, look) {
      let failure: { readonly error: unknown } | undefined
      watchers.add(look)
      const stop = machines.filter((each, index) => index === 0 || each.memory !== machine.memory)
        .map((each) => each.observe((event) => {
          // What the look itself does is not a step of the driver.
          if (!watchers.delete(look)) return
          try {
            look(event)
            watchers.add(look)
          } catch (error) {
            failure = { error }
          }
        }))
      try {
        run()
      } catch (error) {
        failure ??= { error }
      }
      watchers.delete(look)
      for (const each of stop) each()
      if (failure !== undefined) throw failure.error
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

