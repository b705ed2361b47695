// The scene of the adversarial tests: one device with PASIDs, the states of its requester id, and every ordered pair of them.
import type { Device, Domain, PagingDomain } from '@iommu/core'
import type { AdversaryOptions, DmaRequest, Finding, Outcome } from '@iommu/hardware'
import { driverOver } from '../src/backends.js'
import { createAmdAdversary, createAmdMachine } from '../src/model/index.js'
import { programming } from '../src/programming/index.js'
import type { Programming } from '../src/programming/index.js'

const MAPPED = 0x10_0000n
const UNMAPPED = 0x20_0000n

/** A state of the device's requester id. `sameId`: the state whose domain id it has, with another root. */
interface State {
  readonly name: string
  readonly format?: string
  readonly identity?: true
  readonly sameId?: string
}

const states: readonly State[] = [
  { name: 'blocked' }, { name: 'identity', identity: true },
  { name: 'v1 a', format: 'v1' }, { name: 'v1 b', format: 'v1' }, { name: 'v1 a\'', format: 'v1', sameId: 'v1 a' },
  { name: 'v2-4 a', format: 'v2-4' }, { name: 'v2-4 b', format: 'v2-4' }, { name: 'v2-5', format: 'v2-5' },
]

export type Pair = readonly [from: State, to: State]
export const pairs: readonly Pair[] = states.flatMap((from) => states.filter((to) => to !== from).map((to) => [from, to] as const))

/** What was found of one pair. */
export interface PairResult {
  readonly name: string
  readonly during: readonly Finding[]
  readonly after: readonly Finding[]
  readonly free: readonly Finding[]
  readonly blockedMeanwhile: boolean
}

/**
 * Frame 0 as an attacker would like it: whatever its words are read as, they are present, writable, and lead to frame 0
 * again. A pointer that is zero must not go unnoticed because there is nothing at address 0.
 */
const hostile = (): Uint8Array => {
  const page = new Uint8Array(4096)
  for (let at = 0; at < page.length; at += 8) page.set([0x67, 0, 0, 0, 0, 0, 0, 0x60], at)
  return page
}

const rid = (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest =>
  ({ source: 0x20, kind: 'untranslated', address, access: 'read', ...more })

const idOf = (outcome: Outcome | undefined): number | undefined => {
  const id = outcome?.result === 'translated' ? /^domain (\d+)$/.exec(outcome.tag)?.[1] : undefined
  return id === undefined ? undefined : Number(id)
}

/** Switches a device from one state to another, gives back what the old one had, and judges. The driver is broken from then on. */
export const runPair = ([from, to]: Pair, options: AdversaryOptions = {}, change: Partial<Programming> = {}): PairResult => {
  const machine = createAmdMachine({ endpoints: new Map([[0x20, { pasidWidth: 9 }]]) })
  machine.memory.load(0n, hostile())
  const adversary = createAmdAdversary(machine, { queue: 'unordered', ...options })
  let broken = false
  const chosen = <K extends keyof Programming>(key: K): Programming[K] => (broken ? { ...programming, ...change } : programming)[key]
  const driver = driverOver([machine], () => undefined, {
    programming: {
      planEntry: (...args) => chosen('planEntry')(...args),
      planSlot: (...args) => chosen('planSlot')(...args),
      entryWords: (...args) => chosen('entryWords')(...args),
      flushEntry: (...args) => chosen('flushEntry')(...args),
      flushSlot: (...args) => chosen('flushSlot')(...args),
      flushPages: (...args) => chosen('flushPages')(...args),
      flushDevicePages: (...args) => chosen('flushDevicePages')(...args),
    },
  })
  const device: Device = { name: 'device', requesterId: 0x20 }
  driver.probeDevice(device)
  // Address 0: where tables are walked one level short, the page of a table comes out.
  adversary.track(rid(MAPPED), rid(UNMAPPED, { access: 'write' }), rid(0n), rid(MAPPED, { pasid: 6 }))
  let physical = 0x80_0000n
  const domainOf = ({ format, identity }: State): Domain => {
    if (identity === true) return driver.identityDomain as Domain
    if (format === undefined) return driver.blockedDomain as Domain
    const domain = driver.domainAllocPaging?.(device, { format }) as PagingDomain
    domain.mapPages(MAPPED, physical += 0x1_0000n, 0x1000n, 1, { read: true, write: true })
    return domain
  }
  const old = domainOf(from)
  old.attachDev?.(device, undefined)
  const next = domainOf(to)
  const id = from.format === 'v1' ? idOf(adversary.outcomes(rid(MAPPED), 'memory')[0]) : undefined
  const given: Finding[] = []
  const giveBack = (): void => {
    if (id !== undefined) given.push(...adversary.release(id))
  }
  // Ids are the lowest free ones, so one is reused at once where the device passes through blocked.
  const reuses = from.sameId === to.name || to.sameId === from.name
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
