// A scene: a driver over one unit or two, with devices that it has probed, and domains used as the core layer uses them.
import { createGather } from '@iommu/core'
import type { Device, IommuOps, PagingDomain, SvaDomain } from '@iommu/core'
import type { EndpointCapabilities, Machine, PhysicalMemory } from '@iommu/hardware'
import { createCpuAddressSpace } from '@iommu/page-table'
import type { CpuAddressSpace, Format } from '@iommu/page-table'

/** A driver, the machine below it, and what it has warned of. Where no device is named, it is the first one. */
export interface Scene<M extends Machine = Machine, D extends IommuOps = IommuOps> {
  readonly machine: M
  readonly driver: D
  readonly warnings: readonly string[]
  /** An empty domain; of the driver's first format where none is named. */
  paging(format?: string, device?: Device): PagingDomain
  /** A domain in which two pages of its smallest size may be read: those at 1 MiB are at 8 MiB. */
  readable(format?: string, device?: Device): PagingDomain
  /** A process, whose tables are as a CPU writes them, and its domain. */
  process(tables: Format, device?: Device): { readonly cpu: CpuAddressSpace; readonly domain: SvaDomain }
}

/** Makes a driver over a machine, and has it probe the devices. */
export const sceneOf = <M extends Machine, D extends IommuOps>(
  machine: M, devices: readonly Device[], create: (machine: M, warn: (sentence: string) => void) => D,
): Scene<M, D> => {
  const warnings: string[] = []
  const driver = create(machine, (sentence) => void warnings.push(sentence))
  for (const device of devices) {
    driver.probeDevice(device)
    driver.probeFinalize?.(device)
  }
  const first = (): Device => {
    const [device] = devices
    if (device === undefined) throw new RangeError('the scene has no device')
    return device
  }
  const paging = (format?: string, device = first()): PagingDomain => {
    const domain = driver.domainAllocPaging?.(device, format === undefined ? {} : { format })
    if (domain === undefined) throw new RangeError('the driver has no paging domains')
    return domain
  }
  return {
    machine, driver, warnings, paging,
    readable(format, device) {
      const domain = paging(format, device)
      domain.mapPages(0x10_0000n, 0x80_0000n, domain.pageSizes & -domain.pageSizes, 2, { read: true, write: false })
      return domain
    },
    process(tables, device = first()) {
      const cpu = createCpuAddressSpace(machine.memory, 'process', tables)
      const domain = driver.domainAllocSva?.(device, cpu.space)
      if (domain === undefined) throw new RangeError('the driver has no SVA')
      return { cpu, domain }
    },
  }
}

/** What a model is made with. */
interface ModelOptions<Profile> {
  readonly profile: Partial<Profile>
  readonly endpoints: ReadonlyMap<number, EndpointCapabilities>
  readonly unit?: number
  readonly memory?: PhysicalMemory
}

/** A vendor's model and driver, and the devices that its scenes have. */
export interface Vendor<Profile, M extends Machine, D extends IommuOps, Options> {
  readonly devices: readonly Device[]
  readonly endpoints: ReadonlyMap<number, EndpointCapabilities>
  createMachine(options: ModelOptions<Profile>): M
  createDriver(machine: M, setup: { readonly warn: (sentence: string) => void; readonly moreUnits: readonly M[] }, options: Options | undefined): D
}

/** What a scene has otherwise. `second`: there is a second unit, whose profile differs in this. */
export interface Otherwise<Profile, Options> {
  readonly devices?: readonly Device[]
  readonly endpoints?: ReadonlyMap<number, EndpointCapabilities>
  readonly second?: Partial<Profile>
  readonly options?: Options
}

/** Makes a vendor's scenes, each by what the profile has otherwise than by default, and the rest. */
export const scenesOf = <Profile extends object, M extends Machine & { readonly memory: PhysicalMemory }, D extends IommuOps, Options = never>(
  vendor: Vendor<Profile, M, D, Options>,
) => (
  profile: Partial<Profile> = {},
  { devices = vendor.devices, endpoints = vendor.endpoints, second, options }: Otherwise<Profile, Options> = {},
): Scene<M, D> =>
  sceneOf(vendor.createMachine({ profile, endpoints }), devices, (machine, warn) => {
    const { memory } = machine
    const moreUnits = second === undefined ? [] : [vendor.createMachine({ profile: { ...profile, ...second }, endpoints, unit: 1, memory })]
    return vendor.createDriver(machine, { warn, moreUnits }, options)
  })

export const PAGE = 0x1000n

/** Maps pages of 4 KiB, to be read and written; to 8 MiB above their own address where no other is named. */
export const map = (domain: PagingDomain, iova: bigint, pages: number, physical = 0x80_0000n + iova): void => {
  const { error } = domain.mapPages(iova, physical, PAGE, pages, { read: true, write: true })
  if (error !== undefined) throw error
}

/** Unmaps pages of 4 KiB, and completes it. */
export const unmap = (domain: PagingDomain, iova: bigint, pages: number): void => {
  const gather = createGather()
  domain.unmapPages(iova, PAGE, pages, gather)
  domain.iotlbSync?.(gather)
}

/** A scene with a process that is set on a PASID of a device. */
export const processOn = <S extends Scene>(scene: S, tables: Format, device: Device, pasid: number): S & ReturnType<Scene['process']> => {
  const process = scene.process(tables, device)
  process.domain.setDevPasid(device, pasid, undefined)
  return { ...scene, ...process }
}

/** A domain that devices are on, with pages mapped from 1 MiB on. */
export const placed = ({ paging }: Scene, format: string, devices: readonly Device[], pages: number): PagingDomain => {
  const domain = paging(format, devices[0])
  for (const device of devices) domain.attachDev(device, undefined)
  map(domain, 0x10_0000n, pages)
  return domain
}
