// What a blocked domain of the driver's own saves: claims of devices with it, and with an empty paging domain instead.
import { errorCode } from '@iommu/core'
import type { Core, Device, IommuErrorCode, IommuOps } from '@iommu/core'
import type { EndpointCapabilities, HardwareEvent, TestMachine } from '@iommu/hardware'

/** What is needed of a backend of the suite. */
export interface OwnedBackend {
  readonly name: string
  readonly backend: string
  createMachine(setup: { readonly endpoints: ReadonlyMap<number, EndpointCapabilities>; readonly unit: number }): TestMachine
  createDriver(machines: readonly TestMachine[], setup: { readonly warn: (sentence: string) => void }): IommuOps
  idsInUse?(ops: IommuOps): number
  /** Whether an event is a flush; a command that is no wait where absent. */
  readonly isFlush?: (event: HardwareEvent) => boolean
}

/** What claiming all devices took. */
export interface Cost {
  /** 4 KiB pages that the tables of the claimed devices take more than before. */
  readonly pages: number
  /** Ids that are in use more than before. */
  readonly ids: number
  readonly stores: number
  /** Register writes. */
  readonly registers: number
  /** Commands and instructions. */
  readonly commands: number
  readonly flushes: number
}

/** What came of it: what it took, or the code with which a claim was refused. */
export type Claimed = { readonly cost: Cost } | { readonly refused: IommuErrorCode; readonly claimed: number }

export interface OwnershipRow {
  readonly driver: string
  readonly backend: string
  readonly devices: number
  /** By the driver's blocked domain; absent where it has none. */
  readonly blocked?: Claimed
  readonly standIn: Claimed
}

/** Requesters that every kind of hardware here has. */
export const REQUESTERS = [0x20, 0x21, 0x22, 0x28] as const

/** The driver without its static blocked domain. */
const withoutBlocked = ({ blockedDomain: _blocked, releaseDomain: _release, ...rest }: IommuOps): IommuOps => rest

const isCommand = (event: HardwareEvent): boolean => event.kind === 'command'
const isWait = (event: HardwareEvent): boolean => event.kind === 'command' && /wait|sync|fence/i.test(event.name)

type MakeCore = (ops: IommuOps) => Core

const claimAll = (backend: OwnedBackend, makeCore: MakeCore, devices: readonly Device[], alter: (ops: IommuOps) => IommuOps): Claimed => {
  const machine = backend.createMachine({ endpoints: new Map(), unit: 0 })
  const driver = backend.createDriver([machine], { warn: () => undefined })
  const ops = alter(driver)
  const core = makeCore(ops)
  for (const device of devices) core.probeDevice(device)
  const ids = (): number => backend.idsInUse?.(driver) ?? 0
  const before = { pages: machine.memory.pages.live, ids: ids() }
  const count = { stores: 0, registers: 0, commands: 0, flushes: 0 }
  const stop = machine.observe((event) => {
    if (event.kind === 'store') count.stores++
    if (event.kind === 'register') count.registers++
    if (isCommand(event)) count.commands++
    if (backend.isFlush?.(event) ?? (isCommand(event) && !isWait(event))) count.flushes++
  })
  let claimed = 0
  try {
    for (const group of core.groups) {
      core.claimGroup(group, {})
      claimed++
    }
  } catch (error) {
    const refused = errorCode(error)
    if (refused === undefined) throw error
    return { refused, claimed }
  } finally {
    stop()
  }
  return { cost: { pages: machine.memory.pages.live - before.pages, ids: ids() - before.ids, ...count } }
}

/** Claims `devices` devices, each in a group of its own, twice: by the driver's blocked domain, and by the stand-in. */
export const compareOwnership = (backend: OwnedBackend, makeCore: MakeCore, devices: number): OwnershipRow => {
  if (devices < 1 || devices > REQUESTERS.length) throw new RangeError(`${devices} devices; 1 to ${REQUESTERS.length} are possible`)
  const all = REQUESTERS.slice(0, devices).map((requesterId): Device => ({ name: `device 0x${requesterId.toString(16)}`, requesterId }))
  const machine = backend.createMachine({ endpoints: new Map(), unit: 0 })
  const { manifest } = backend.createDriver([machine], { warn: () => undefined })
  return {
    driver: backend.name,
    backend: backend.backend,
    devices,
    ...(manifest.blocked.rid ? { blocked: claimAll(backend, makeCore, all, (ops) => ops) } : {}),
    standIn: claimAll(backend, makeCore, all, withoutBlocked),
  }
}
