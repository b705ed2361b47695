// States that a driver wrote: the same calls on a model and on QEMU must leave the same words, and the same DMA must go
// to the same place. What is recorded of blocked DMA is compared elsewhere, where every state is known as a plan.
import { createGather, errorCode } from '@iommu/core'
import type { Domain, IommuOps, PagingDomain } from '@iommu/core'
import type { Machine, TestMachine } from '@iommu/hardware'
import type { Qemu } from '@iommu/machine-qemu'
import { createRandom } from './random.js'
import type { Random } from './random.js'
import { ask } from './subject.js'
import type { Probe, Subject } from './subject.js'

/** A driver, and the device that its domains are set on. */
export interface DriverSubject {
  createDriver(machine: Machine): IommuOps
  readonly source: number
  /** Why identity is left out, where QEMU does not leave it again as it should; absent: it is tried. */
  readonly withoutIdentity?: string
}

/** One call, as data: both sides get the same. */
type Call =
  | { readonly do: 'map'; readonly domain: number; readonly iova: bigint; readonly physical: bigint; readonly large: boolean; readonly count: number; readonly write: boolean }
  | { readonly do: 'unmap'; readonly domain: number; readonly iova: bigint; readonly count: number }
  | { readonly do: 'attach'; readonly domain: number | 'blocked' | 'identity' }

export interface DrivenResult {
  readonly rounds: number
  readonly words: number
  readonly probes: number
  readonly wrong?: string
}

const DOMAINS = 2
const CALLS = 14
const PROBES = 10
const PAGE = 0x1000n
const LARGE = 0x20_0000n
const DATA = 0x10_0000n

const iovaOf = (random: Random): bigint => (BigInt(random.pick([0, 1, 5])) << 30n) + BigInt(random.below(4)) * LARGE + BigInt(random.below(16)) * PAGE

const callOf = (random: Random, identity: boolean): Call => {
  const domain = random.below(DOMAINS)
  const kind = random.weighted([[6, 'map'], [3, 'unmap'], [3, 'attach']] as const)
  switch (kind) {
    case 'map': {
      const large = random.chance(25)
      const iova = iovaOf(random)
      return {
        do: 'map', domain, large, count: large ? 1 : 1 + random.below(6), write: random.chance(75),
        iova: large ? iova & ~(LARGE - 1n) : iova,
        physical: large ? LARGE * BigInt(1 + random.below(4)) : DATA + BigInt(random.below(0x400)) * PAGE,
      }
    }
    case 'unmap': return { do: 'unmap', domain, iova: iovaOf(random), count: 1 + random.below(6) }
    case 'attach': return { do: 'attach', domain: random.weighted<number | 'blocked' | 'identity'>([[5, domain], [2, 'blocked'], [identity ? 2 : 0, 'identity']]) }
    default: return kind satisfies never
  }
}

/** Plays the calls on a fresh driver, and says what each came to. */
const play = ({ createDriver, source }: DriverSubject, machine: Machine, calls: readonly Call[], format: number): string[] => {
  const driver = createDriver(machine)
  const device = { name: 'device', requesterId: source }
  driver.probeDevice(device)
  driver.probeFinalize?.(device)
  const { formats } = driver.manifest
  const name = formats[format % formats.length] as string
  const domains = Array.from({ length: DOMAINS }, () => driver.domainAllocPaging?.(device, { format: name }) as PagingDomain)
  let old: Domain | undefined
  return calls.map((call): string => {
    switch (call.do) {
      case 'map': {
        const domain = domains[call.domain] as PagingDomain
        const size = call.large && (domain.pageSizes & LARGE) !== 0n ? LARGE : PAGE
        const { mapped, error } = domain.mapPages(call.iova, call.physical, size, call.count, { read: true, write: call.write })
        domain.iotlbSyncMap?.(call.iova, mapped)
        return `map ${mapped} ${errorCode(error) ?? ''}`
      }
      case 'unmap': {
        const domain = domains[call.domain] as PagingDomain
        const gather = createGather()
        const removed = domain.unmapPages(call.iova, PAGE, call.count, gather)
        domain.iotlbSync?.(gather)
        return `unmap ${removed}`
      }
      case 'attach': {
        const next = call.domain === 'blocked' ? driver.blockedDomain : call.domain === 'identity' ? driver.identityDomain : domains[call.domain]
        next?.attachDev?.(device, old)
        old = next
        return 'attach'
      }
      default: return call satisfies never
    }
  })
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
      const address = BigInt(frame) * PAGE + BigInt(index * 8)
      return { words, at: `the word at ${hex(address)} is ${hex(one.memory.load64(address))} on the model and ${hex(other.memory.load64(address))} on QEMU` }
    }
  }
  return { words }
}

export const compareDriven = <Plan extends { readonly class: string }>(
  { target, board, createModel, driven }: Subject<Plan>, qemu: Qemu, rounds: number, seed: number,
): DrivenResult => {
  const random = createRandom(seed, `${target} driven`)
  const first = Number(board.tables.start / PAGE)
  let [words, probes] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    const machine = qemu.machine()
    const model = createModel(machine)
    const calls = Array.from({ length: CALLS }, () => callOf(random, driven.withoutIdentity === undefined))
    const format = random.below(8)
    const [said, found] = [play(driven, model, calls, format), play(driven, machine, calls, format)]
    const wrong = (what: string): DrivenResult => ({ rounds: round + 1, words, probes, wrong: `${what}, after ${calls.map(text).join(' ')}` })
    if (text(said) !== text(found)) return wrong(`the driver answers ${text(said)} on the model and ${text(found)} on QEMU`)
    const difference = firstDifference(model, machine, first, first + 256)
    words += difference.words
    if (difference.at !== undefined) return wrong(difference.at)
    for (let count = 0; count < PROBES; count++) {
      const probe: Probe = { source: driven.source, address: iovaOf(random) + BigInt(random.below(512) * 8), access: random.pick(['read', 'write'] as const) }
      const [expected, answer] = [ask(model, board, probe).where, ask(machine, board, probe).where]
      probes++
      if (expected !== answer) return wrong(`a ${probe.access} of ${hex(probe.address)} meets ${text(expected)} on the model and ${text(answer)} on QEMU`)
    }
  }
  return { rounds, words, probes }
}
