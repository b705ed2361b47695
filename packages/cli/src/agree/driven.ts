// States that a driver wrote: the same calls on a model and on QEMU must leave the same words, and the same DMA must go
// to the same place. What is recorded of blocked DMA is compared elsewhere, where every state is known as a plan.
import { createGather, errorCode } from '@iommu/core'
import type { Domain, IommuOps, PagingDomain } from '@iommu/core'
import { frameAddress, frameOf } from '@iommu/hardware'
import type { Machine, TestMachine } from '@iommu/hardware'
import type { Board, Qemu, QemuMachine } from '@iommu/machine-qemu'
import { onPlatform } from './compare.js'
import { createPlaces } from './places.js'
import { createRandom } from './random.js'
import type { Random } from './random.js'
import { ask, askQemu, probeLine } from './subject.js'
import type { Probe, Subject } from './subject.js'

/** A driver, and the device that its domains are set on. */
export interface DriverSubject {
  /** A driver on a machine. `qemu` is the board that it is compared with, whose firmware may say more; rounds run from 0. */
  createDriver(machine: Machine, qemu: QemuMachine, round: number): IommuOps
  readonly source: number
  /** Why identity is left out, where QEMU does not leave it again as it should; absent: it is tried. */
  readonly withoutIdentity?: string
  /** Why a domain is attached before the first call, where QEMU does not block a device that had none; absent: none is. */
  readonly attachedFirst?: string
  /** PASIDs that domains are set on, and that every probe has; absent: there are none. */
  readonly pasids?: readonly number[]
}

/** A device address, counted in gibibytes, large pages and small pages, whose sizes a format has. */
interface Spot {
  readonly high: number
  readonly large: number
  readonly small: number
}

/** One call, as data: both sides get the same. */
type Call =
  | {
    readonly do: 'map'; readonly domain: number; readonly at: Spot; readonly page: number; readonly large: boolean
    readonly count: number; readonly write: boolean
  }
  | { readonly do: 'unmap'; readonly domain: number; readonly at: Spot; readonly count: number }
  | { readonly do: 'attach'; readonly domain: number | 'blocked' | 'identity' }
  | { readonly do: 'set'; readonly pasid: number; readonly domain: number | 'blocked' }

export interface DrivenResult {
  readonly rounds: number
  readonly words: number
  readonly probes: number
  readonly wrong?: string
}

const DOMAINS = 2
const CALLS = 14
const PROBES = 10
const LARGE = 0x20_0000n
const GIB = 1n << 30n

const spotOf = (random: Random): Spot => ({ high: random.pick([0, 1, 5]), large: random.below(4), small: random.below(16) })

const callOf = (random: Random, identity: boolean, pasids: readonly number[]): Call => {
  const domain = random.below(DOMAINS)
  const kind = random.weighted([[6, 'map'], [3, 'unmap'], [3, 'attach'], [pasids.length > 0 ? 5 : 0, 'set']] as const)
  switch (kind) {
    case 'map': {
      const large = random.chance(25)
      const at = spotOf(random)
      return {
        do: 'map', domain, large, count: large ? 1 : 1 + random.below(6), write: random.chance(75),
        at: large ? { ...at, small: 0 } : at, page: random.below(large ? 4 : 0x80),
      }
    }
    case 'unmap': return { do: 'unmap', domain, at: spotOf(random), count: 1 + random.below(6) }
    case 'attach': return { do: 'attach', domain: random.weighted<number | 'blocked' | 'identity'>([[5, domain], [2, 'blocked'], [identity ? 2 : 0, 'identity']]) }
    case 'set': return { do: 'set', pasid: random.pick(pasids), domain: random.weighted<number | 'blocked'>([[4, domain], [1, 'blocked']]) }
    default: return kind satisfies never
  }
}

/** The smallest page, and the smallest large one, of 2 MiB or more. */
interface Sizes {
  readonly small: bigint
  readonly large: bigint
}

const sizesOf = ({ pageSizes }: PagingDomain): Sizes => {
  const above = pageSizes & ~(LARGE - 1n)
  const small = pageSizes & -pageSizes
  return { small, large: above === 0n ? small : above & -above }
}

const addressOf = ({ high, large, small }: Spot, sizes: Sizes): bigint =>
  BigInt(high) * GIB + BigInt(large) * sizes.large + BigInt(small) * sizes.small

/** What the calls came to, the page sizes of the domains, and the PASIDs that have one at the end. */
interface Played {
  readonly said: readonly string[]
  readonly sizes: Sizes
  readonly set: readonly number[]
}

/** Plays the calls on a fresh driver, and says what each came to. */
const play = (
  { createDriver, source, attachedFirst, pasids = [] }: DriverSubject, machine: Machine, qemu: QemuMachine, { data: { start } }: Board,
  calls: readonly Call[], round: number, format: number,
): Played => {
  const driver = createDriver(machine, qemu, round)
  const device = { name: 'device', requesterId: source }
  driver.probeDevice(device)
  driver.probeFinalize?.(device)
  const { formats, pasidFormats = formats } = driver.manifest
  const usable = pasids.length > 0 ? pasidFormats : formats
  const options = { format: usable[format % usable.length] as string, pasid: pasids.length > 0 }
  const domains = Array.from({ length: DOMAINS }, () => driver.domainAllocPaging?.(device, options) as PagingDomain)
  const sizes = sizesOf(domains[0] as PagingDomain)
  // Large pages lie above all memory that is in use, and are aligned to their size as memory is.
  const above = (start & ~(GIB - 1n)) + GIB
  let old: Domain | undefined
  if (attachedFirst !== undefined) {
    old = domains[0]
    old?.attachDev?.(device, undefined)
  }
  const onPasid = new Map<number, Domain>()
  const said = calls.map((call): string => {
    switch (call.do) {
      case 'map': {
        const domain = domains[call.domain] as PagingDomain
        const physical = call.large ? above + BigInt(call.page) * sizes.large : start + BigInt(call.page) * sizes.small
        const iova = addressOf(call.at, sizes)
        const size = call.large ? sizes.large : sizes.small
        const { mapped, error } = domain.mapPages(iova, physical, size, call.count, { read: true, write: call.write })
        if (mapped > 0n) domain.iotlbSyncMap?.(iova, mapped)
        return `map ${mapped} ${errorCode(error) ?? ''}`
      }
      case 'unmap': {
        const domain = domains[call.domain] as PagingDomain
        const gather = createGather()
        const removed = domain.unmapPages(addressOf(call.at, sizes), sizes.small, call.count, gather)
        domain.iotlbSync?.(gather)
        return `unmap ${removed}`
      }
      case 'attach': {
        const next = call.domain === 'blocked' ? driver.blockedDomain : call.domain === 'identity' ? driver.identityDomain : domains[call.domain]
        next?.attachDev?.(device, old)
        old = next
        return 'attach'
      }
      case 'set': {
        const next = (call.domain === 'blocked' ? driver.blockedDomain : domains[call.domain]) as Domain
        // Some are beyond what the device has.
        if (call.pasid >= (driver.maxPasids?.(device) ?? 0)) return 'no such PASID'
        next.setDevPasid?.(device, call.pasid, onPasid.get(call.pasid))
        if (next === driver.blockedDomain) onPasid.delete(call.pasid)
        else onPasid.set(call.pasid, next)
        return 'set'
      }
      default: return call satisfies never
    }
  })
  return { said, sizes, set: [...onPasid.keys()] }
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const text = (value: unknown): string => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? hex(each) : each))

/** The first word of a handed-out frame that is not the same on both sides. */
const firstDifference = (one: TestMachine, other: TestMachine, first: number, end: number): { readonly words: number; readonly at?: string } => {
  let words = 0
  for (let frame = first; frame < end; frame++) {
    if (one.memory.pages.isLive(frame) !== other.memory.pages.isLive(frame)) return { words, at: `frame ${hex(frame)} is in use on one side only` }
    if (!one.memory.pages.isLive(frame)) continue
    for (let index = 0; index < 512; index++) {
      words++
      one.memory.loadPair(frame, index)
      other.memory.loadPair(frame, index)
      if (one.memory.low === other.memory.low && one.memory.high === other.memory.high) continue
      const address = frameAddress(frame) + BigInt(index * 8)
      return { words, at: `the word at ${hex(address)} is ${hex(one.memory.load64(address))} on the model and ${hex(other.memory.load64(address))} on QEMU` }
    }
  }
  return { words }
}

export const compareDriven = <Plan extends { readonly class: string }>(
  subject: Subject<Plan>, qemu: Qemu, rounds: number, seed: number,
): DrivenResult => {
  const { target, board, createModel, driven } = subject
  const { pasids = [] } = driven
  const random = createRandom(seed, `${target} driven`)
  const first = frameOf(board.tables.start)
  const places = createPlaces(board)
  let [words, probes] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    const machine = qemu.machine()
    const model = createModel(machine)
    const calls = Array.from({ length: CALLS }, () => callOf(random, driven.withoutIdentity === undefined, pasids))
    const format = random.below(8)
    const { said, sizes, set } = play(driven, model, machine, board, calls, round, format)
    const { said: found } = play(driven, machine, machine, board, calls, round, format)
    const wrong = (what: string): DrivenResult => ({ rounds: round + 1, words, probes, wrong: `${what}, after ${calls.map(text).join(' ')}` })
    if (text(said) !== text(found)) return wrong(`the driver answers ${text(said)} on the model and ${text(found)} on QEMU`)
    const difference = firstDifference(model, machine, first, first + 256)
    words += difference.words
    if (difference.at !== undefined) return wrong(difference.at)
    // What passes must meet neither devices nor the tables themselves.
    const through = pasids.length === 0 && calls.findLast((call) => call.do === 'attach')?.domain === 'identity'
    for (let count = 0; count < PROBES && (pasids.length === 0 || set.length > 0); count++) {
      const pasid = pasids.length === 0 ? {} : { pasid: random.pick(set) }
      const address = through ? places.address(random) : addressOf(spotOf(random), sizes) + BigInt(random.below(512) * 8)
      const probe: Probe = { source: driven.source, ...pasid, address, access: random.pick(['read', 'write'] as const) }
      const [expected, answer] = [onPlatform(ask(model, board, probe).where, board), askQemu(machine, subject, probe).where]
      probes++
      if (expected !== answer) return wrong(`a ${probeLine(probe)} meets ${text(expected)} on the model and ${text(answer)} on QEMU`)
    }
  }
  return { rounds, words, probes }
}
