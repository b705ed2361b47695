// The scene of the adversarial tests: one device, the states that it can be put in, and every ordered pair of them.
import type { Device, Domain, PagingDomain } from '@iommu/core'
import type { Adversary, AdversaryOptions, DmaRequest, Finding, Judgement, TestMachine } from '@iommu/hardware'
import { createCpuAddressSpace } from '@iommu/page-table'
import { domainIdOf, hostilePage, reusesId } from '../../../tools/driver-tests/adversary.js'
import type { Pair, State } from '../../../tools/driver-tests/adversary.js'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map as mapPages, PAGE } from '../../../tools/driver-tests/scene.js'
import { backends, cpuTables, driverOver } from '../src/backends.js'
import type { IntelVtd } from '../src/driver.js'
import type { AdversarySetup } from '../src/variants/adversary.js'
import { createVtdAdversary, createVtdMachine, defaultProfile } from '../src/model/index.js'
import type { Profile, VtdMachine } from '../src/model/index.js'

export const MAPPED = 0x10_0000n
const UNMAPPED = 0x20_0000n
/** The point that changes in scalable mode; in legacy mode it is the requester id. */
export const OWN_PASID = 7
const LIVE_PASID = 5
const DEAD_PASID = 6

/** What hardware it is, which driver is on it, and how the adversary plays. */
export interface Setup {
  readonly profile?: Partial<Profile>
  readonly options?: AdversaryOptions
  readonly ats?: boolean
  /** Tracked beside those of the scene; in place of them where `only` is set. */
  readonly probes?: readonly DmaRequest[]
  /** A broken driver. It is broken from the change on that is judged: what came before was right. */
  readonly createDriver?: (machines: readonly TestMachine[], setup: AdversarySetup) => IntelVtd
}

export interface Scene {
  readonly machine: VtdMachine
  readonly adversary: Adversary
  readonly driver: IntelVtd
  readonly device: Device
  /** A second device that keeps domain ids taken. */
  readonly other: Device
  paging(format: string): PagingDomain
  /** A domain of a process that has one page mapped. */
  process(name: string): Domain
  attach(domain: Domain, device: Device, pasid?: number): void
  /** From now on a broken driver is broken. */
  breakDriver(): void
}

const pointOf = ({ profile }: Setup): number | undefined => (profile?.scalable === false ? undefined : OWN_PASID)

/** Requests of a point of the device. */
const at = (pasid: number | undefined) => (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest =>
  requestsOf(0x20)(address, { ...(pasid === undefined ? {} : { pasid }), ...more })

/** A machine, an adversary over it from the beginning, and a driver with two probed devices. */
export const createScene = (setup: Setup = {}): Scene => {
  const { profile = {}, options = {}, ats = false, probes, createDriver } = setup
  const own = at(pointOf(setup))
  let physical = 0x80_0000n
  const endpoints = new Map([0x20, 0x28].map((source) => [source, { pasidWidth: 20, ...(ats ? { atsQueueDepth: 31 } : {}) }]))
  const machine = createVtdMachine({ profile, endpoints })
  machine.memory.load(0n, hostilePage(backends[0] as (typeof backends)[number]))
  const adversary = createVtdAdversary(machine, options)
  let broken = false
  const driver = createDriver?.([machine], { warn: () => undefined, broken: () => broken })
    ?? driverOver([machine], () => undefined, defaultProfile.hostAddressBits)
  const [device, other] = [0x20, 0x28].map((requesterId): Device => ({ name: `device ${requesterId}`, requesterId, ats })) as [Device, Device]
  for (const each of [device, other]) {
    driver.probeDevice(each)
    driver.probeFinalize?.(each)
  }
  adversary.track(...(probes ?? [
    own(MAPPED), own(UNMAPPED, { access: 'write' }),
    ...(driver.manifest.maxPasids > 0 ? [own(MAPPED, { pasid: LIVE_PASID }), own(MAPPED, { pasid: DEAD_PASID })] : []),
    ...(ats ? [own(MAPPED, { kind: 'translate' }), own(MAPPED, { kind: 'translated' })] : []),
  ]))
  const live = new Map<string, Domain>()
  return {
    machine, adversary, driver, device, other,
    attach(domain, to, pasid) {
      const point = `${to.name} ${pasid ?? 0}`
      const old = live.get(point) ?? driver.blockedDomain as Domain
      if (pasid === undefined) domain.attachDev?.(to, old)
      else domain.setDevPasid?.(to, pasid, old)
      live.set(point, domain)
    },
    breakDriver() { broken = true },
    paging(format) {
      const domain = driver.domainAllocPaging?.(device, { format })
      if (domain === undefined) throw new RangeError('the driver has no paging domains')
      map(domain, MAPPED, physical)
      physical += 0x1_0000n
      return domain
    },
    process(name) {
      const cpu = createCpuAddressSpace(machine.memory, name, cpuTables(defaultProfile.hostAddressBits))
      cpu.map(MAPPED, physical)
      physical += 0x1_0000n
      const domain = driver.domainAllocSva?.(device, cpu.space)
      if (domain === undefined) throw new RangeError('the driver has no SVA')
      return domain
    },
  }
}

/** Maps a page, and has hardware told of it. */
export const map = (domain: PagingDomain, iova: bigint, to: bigint): void => {
  mapPages(domain, iova, 1, to)
  domain.iotlbSyncMap?.(iova, PAGE)
}

const stage = (format: string, short: string): State[] => [
  { name: `${short} a`, format }, { name: `${short} b`, format }, { name: `${short} a'`, format, sameId: `${short} a` },
]
const simple: State[] = [{ name: 'blocked' }, { name: 'identity', identity: true }]

/** Blocked, identity (domain id 1), and per stage two domains and one that has the first one's id with another root. */
export const tableStates: readonly State[] = [...simple, ...stage('first-stage-4', 'first stage'), ...stage('second-stage-4', 'second stage')]
/** And two processes (domain id 1 both), where hardware can walk their tables. */
export const scalableStates: readonly State[] = [...tableStates, { name: 'process a', sva: true }, { name: 'process b', sva: true }]
export const legacyStates: readonly State[] = [...simple, ...stage('second-stage-4', 'second stage')]

/** What came of one pair. */
export interface PairResult {
  readonly name: string
  readonly during: readonly Finding[]
  readonly after: readonly Finding[]
  readonly free: readonly Finding[]
  readonly rest: readonly Finding[]
  readonly invalidations: readonly Judgement[]
  readonly copies: number
}

const domainOf = ({ driver, paging, process }: Scene, { name, format, identity, sva }: State): Domain => {
  const domain = sva === true ? process(name) : identity === true ? driver.identityDomain
    : format === undefined ? driver.blockedDomain : paging(format)
  if (domain === undefined) throw new RangeError('the driver lacks a domain of the scene')
  return domain
}

/** Switches the point from one state to another, gives back what the old one had, and judges. */
export const runPair = (setup: Setup, pair: Pair): PairResult => {
  const [from, to] = pair
  const scene = createScene(setup)
  const { adversary, attach, device, driver } = scene
  const pasid = pointOf(setup)
  if (driver.manifest.maxPasids > 0) attach(scene.paging(driver.manifest.formats[0] as string), device, LIVE_PASID)
  const old = domainOf(scene, from)
  attach(old, device, pasid)
  const next = domainOf(scene, to)
  const id = domainIdOf(adversary.outcomes(at(pasid)(MAPPED), 'memory')[0])
  const given: Finding[] = []
  const giveBack = (): void => {
    if (id !== undefined) given.push(...adversary.release(id))
  }
  const before = adversary.cost.copies
  scene.breakDriver()
  const { during, after, free } = adversary.watch(() => {
    if (reusesId(pair)) {
      attach(driver.blockedDomain as Domain, device, pasid)
      giveBack()
    }
    attach(next, device, pasid)
  })
  const copies = adversary.cost.copies - before
  const rest = adversary.atRest()
  if (!reusesId(pair)) giveBack()
  if (old.kind === 'paging') (old as PagingDomain).free()
  return {
    name: `${from.name} -> ${to.name}`, during, after, free: [...free, ...given, ...adversary.freedPages()], rest,
    invalidations: adversary.invalidations(), copies,
  }
}

/** Pairs that failed: together, and by sentence. */
export interface Count {
  readonly failed: number
  readonly during: number
  readonly after: number
  readonly free: number
}

export const count = (results: readonly PairResult[]): Count => ({
  failed: results.filter(({ during, after, free }) => during.length + after.length + free.length > 0).length,
  during: results.filter(({ during }) => during.length > 0).length,
  after: results.filter(({ after }) => after.length > 0).length,
  free: results.filter(({ free }) => free.length > 0).length,
})
