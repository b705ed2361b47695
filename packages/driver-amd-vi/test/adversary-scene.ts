// The scene of the adversarial tests: one device with PASIDs, the states of its requester id, and every ordered pair of them.
import type { Device, Domain, PagingDomain } from '@iommu/core'
import type { AdversaryOptions, Finding } from '@iommu/hardware'
import { domainIdOf, hostilePage, pairsOf, reusesId } from '../../../tools/driver-tests/adversary.js'
import type { Pair, State } from '../../../tools/driver-tests/adversary.js'
import { requestsOf } from '../../../tools/driver-tests/dma.js'
import { map, sceneOf } from '../../../tools/driver-tests/scene.js'
import { backends, driverOver } from '../src/backends.js'
import { createAmdAdversary, createAmdMachine } from '../src/model/index.js'
import { programming } from '../src/programming/index.js'
import type { Programming } from '../src/programming/index.js'

const MAPPED = 0x10_0000n
const UNMAPPED = 0x20_0000n

/** Of the device's requester id. */
const states: readonly State[] = [
  { name: 'blocked' }, { name: 'identity', identity: true },
  { name: 'v1 a', format: 'v1' }, { name: 'v1 b', format: 'v1' }, { name: 'v1 a\'', format: 'v1', sameId: 'v1 a' },
  { name: 'v2-4 a', format: 'v2-4' }, { name: 'v2-4 b', format: 'v2-4' }, { name: 'v2-5', format: 'v2-5' },
]

export const pairs = pairsOf(states)

/** What was found of one pair. */
export interface PairResult {
  readonly name: string
  readonly during: readonly Finding[]
  readonly after: readonly Finding[]
  readonly free: readonly Finding[]
  readonly blockedMeanwhile: boolean
}

const rid = requestsOf(0x20)

/** Switches a device from one state to another, gives back what the old one had, and judges. The driver is broken from then on. */
export const runPair = ([from, to]: Pair, options: AdversaryOptions = {}, change: Partial<Programming> = {}): PairResult => {
  const machine = createAmdMachine({ endpoints: new Map([[0x20, { pasidWidth: 9 }]]) })
  machine.memory.load(0n, hostilePage(backends[0] as (typeof backends)[number]))
  const adversary = createAmdAdversary(machine, { queue: 'unordered', ...options })
  let broken = false
  const chosen = <K extends keyof Programming>(key: K): Programming[K] => (broken ? { ...programming, ...change } : programming)[key]
  const device: Device = { name: 'device', requesterId: 0x20 }
  const { driver, paging } = sceneOf(machine, [device], (_machine, warn) => driverOver([machine], warn, {
    programming: {
      planEntry: (...args) => chosen('planEntry')(...args),
      planSlot: (...args) => chosen('planSlot')(...args),
      entryWords: (...args) => chosen('entryWords')(...args),
      flushEntry: (...args) => chosen('flushEntry')(...args),
      flushSlot: (...args) => chosen('flushSlot')(...args),
      flushPages: (...args) => chosen('flushPages')(...args),
      flushDevicePages: (...args) => chosen('flushDevicePages')(...args),
    },
  }))
  // Address 0: where tables are walked one level short, the page of a table comes out.
  adversary.track(rid(MAPPED), rid(UNMAPPED, { access: 'write' }), rid(0n), rid(MAPPED, { pasid: 6 }))
  let physical = 0x80_0000n
  const domainOf = ({ format, identity }: State): Domain => {
    if (identity === true) return driver.identityDomain as Domain
    if (format === undefined) return driver.blockedDomain as Domain
    const domain = paging(format)
    map(domain, MAPPED, 1, physical += 0x1_0000n)
    return domain
  }
  const old = domainOf(from)
  old.attachDev?.(device, undefined)
  const next = domainOf(to)
  const id = from.format === 'v1' ? domainIdOf(adversary.outcomes(rid(MAPPED), 'memory')[0]) : undefined
  const given: Finding[] = []
  const giveBack = (): void => {
    if (id !== undefined) given.push(...adversary.release(id))
  }
  const reuses = reusesId([from, to])
  broken = true
  const run = (): void => {
    if (reuses) {
      driver.blockedDomain?.attachDev(device, old)
      giveBack()
    }
    next.attachDev?.(device, old)
  }
  const { during, after, free } = adversary.watch(run, { hitless: true })
  const isBlock = ({ outcome }: Finding): boolean => outcome?.result === 'blocked'
  if (!reuses) giveBack()
  if (old.kind === 'paging') (old as PagingDomain).free()
  return {
    name: `${from.name} -> ${to.name}`, during: during.filter((each) => !isBlock(each)), after,
    free: [...free, ...given, ...adversary.freedPages()], blockedMeanwhile: during.some(isBlock),
  }
}
