// The other side of a walk: machine, driver and core layer, and what they are asked after every command.
import type { Device, Domain, Gather, IommuOps, Manifest, SvaBond } from '@iommu/core'
import { createGather } from '@iommu/core'
import type { TestMachine } from '@iommu/hardware'
import type { Backend, CreateCore, TestAddressSpace } from '../backend.js'
import { createBench } from '../bench.js'
import type { Answer, Bench, DeviceSpec } from '../bench.js'
import { check, fail, same } from '../check.js'
import { formatsFor } from '../states.js'
import type { Call } from '../trace.js'
import type { Ability } from './abilities.js'
import { answerOf, createModel, expectedAnswers, groupOf, manifestAt } from './model.js'
import type { Model, ModelDevice, ModelDomain, ModelGroup, ModelSpace } from './model.js'
import type { Setting } from './setting.js'

/** A device with everything; two that are not isolated, of which one has no PASIDs and comes under two ids; one behind another unit. */
const DEVICES: readonly DeviceSpec[] = [
  { requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 31 } },
  { requesterId: 0x21, isolation: 'pair', endpoint: { pasidWidth: 20 } },
  { requesterId: 0x22, isolation: 'pair', aliases: [0x28] },
  { requesterId: 0x30, unit: 1, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 31 } },
]

/** What commands call, and what belongs to the model's names. */
export interface World {
  readonly bench: Bench
  readonly machines: readonly TestMachine[]
  /** The device of a model's device. */
  device(device: ModelDevice): Device
  domain(domain: ModelDomain): Domain
  name(domain: ModelDomain, real: Domain): void
  /** A process's memory; undefined where the backend has none. */
  space(space: ModelSpace): TestAddressSpace | undefined
  /** The bond of a group with a process. */
  keep(space: ModelSpace, group: string, bond: SvaBond): void
  bond(space: ModelSpace, group: string): SvaBond | undefined
  /** What has been unmapped in a domain without a sync. */
  gather(domain: ModelDomain): Gather
  /** Every point does DMA everywhere, so that caches hold what they can; devices ask for translations to keep. */
  warm(model: Model): void
}

/** Requests for translations are made by devices in whose configuration ATS is on. */
const asksForTranslations = ({ bench }: World, device: Device): boolean =>
  bench.machineOf(device).endpoint(device.requesterId).config.enabled.ats

const translateRequest = ({ requesterId: source }: Device, pasid: number | undefined, address: bigint) =>
  ({ source, kind: 'translate', access: 'read', address, ...(pasid === undefined ? {} : { pasid }) } as const)

/** What drivers declare of each unit that they have alone, by backend: a backend is asked once. */
const declared = new WeakMap<Backend, readonly Manifest[]>()

const manifestsOf = (backend: Backend, first: Manifest): readonly Manifest[] => {
  const known = declared.get(backend) ?? [first, ...(backend.severalUnits !== true ? [] : [
    backend.createDriver([backend.createMachine({ endpoints: new Map(), unit: 1 })], { warn: () => undefined }).manifest,
  ])]
  declared.set(backend, known)
  return known
}

const deferring = (ops: IommuOps): IommuOps => ({ ...ops, isAttachDeferred: () => true })

export const createWorld = (
  backend: Backend, setting: Setting, abilities: ReadonlySet<Ability>, createCore: CreateCore,
): { readonly model: Model; readonly world: World } => {
  const { defaultType, deferred } = setting
  // Where all devices share one translation there is one device to talk of.
  const specs = backend.oneTranslation === true ? DEVICES.slice(0, 1)
    : DEVICES.filter(({ unit }, index) => setting.devices.includes(index) && (unit === undefined || (backend.severalUnits === true && abilities.has('units'))))
  const bench = createBench(backend, createCore, { devices: specs, core: { defaultType }, ...(deferred ? { alter: deferring } : {}) })
  const manifests = manifestsOf(backend, bench.ops.manifest)
  const [manifest] = manifests as [Manifest]
  const model = createModel(abilities, setting, manifests, bench.devices.map((device, index): ModelDevice => ({
    name: device.name,
    group: device.isolation ?? device.name,
    unit: device.unit ?? 0,
    hasPasids: (manifests[device.unit ?? 0]?.maxPasids ?? 0) > 0 && (specs[index]?.endpoint?.pasidWidth ?? 0) > 0,
    ats: device.ats === true,
    state: 'untouched',
    deferred: false,
    resetDepth: 0,
  })))
  const domains = new Map<ModelDomain, Domain>()
  const spaces = new Map<ModelSpace, TestAddressSpace | undefined>()
  const bonds = new Map<string, SvaBond>()
  const gathers = new Map<ModelDomain, Gather>()
  const world: World = {
    bench,
    machines: [...new Set(bench.devices.map(bench.machineOf))],
    device: ({ name }) => bench.devices.find((each) => each.name === name) as Device,
    domain: (domain) => (domain === model.blocked ? bench.blocked : domain === model.identity ? bench.identity
      : domains.get(domain) ?? fail(`nobody knows ${domain.name}`)),
    name: (domain, real) => void domains.set(domain, real),
    space(space) {
      if (!spaces.has(space)) spaces.set(space, manifest.sva.pasid ? bench.addressSpace(space.domain.name) : undefined)
      return spaces.get(space)
    },
    keep: ({ domain }, group, bond) => void bonds.set(`${domain.name} ${group}`, bond),
    bond: ({ domain }, group) => bonds.get(`${domain.name} ${group}`),
    gather(domain) {
      const gather = gathers.get(domain) ?? createGather()
      gathers.set(domain, gather)
      return gather
    },
    warm({ devices, addresses, pasids }) {
      for (const each of devices.filter(({ state }) => state === 'probed')) {
        const device = world.device(each)
        const asks = abilities.has('ats') && asksForTranslations(world, device)
        for (const pasid of each.hasPasids ? [undefined, ...pasids] : [undefined]) {
          for (const address of addresses) {
            bench.dma({ device, ...(pasid === undefined ? {} : { pasid }) }, address)
            if (asks) bench.machineOf(device).dma(translateRequest(device, pasid, address))
          }
        }
      }
    },
  }
  return { model, world }
}

/** What the core has chosen as a new group's default, by the model's words. */
export const fallbackOf = (model: Model, { name, unit }: ModelDevice, real: Domain): ModelDomain => {
  if (real.kind === 'identity') return model.identity
  const where = 'pasidCapable' in real && real.pasidCapable === true ? 'pasid' : 'rid'
  const [kind = real.kind] = formatsFor(manifestAt(model, unit), where)
  return { name: `the default domain of ${name}`, kind, unit, mappings: [], owed: [] }
}

const shown = (answer: Answer): string => (answer === 'blocked' ? 'blocked' : `0x${answer.toString(16)}`)

const nameOf = ({ name }: ModelDevice, pasid: number | undefined): string => `${name}${pasid === undefined ? '' : ` PASID ${pasid}`}`

/** What a device is told that asks for a translation: the address of one of these answers, and to write only where writes may go. */
const auditTranslations = (
  world: World, each: ModelDevice, pasid: number | undefined, address: bigint, reads: readonly Answer[], writes: readonly Answer[],
): void => {
  const device = world.device(each)
  for (const outcome of world.bench.machineOf(device).outcomes(translateRequest(device, pasid, address))) {
    const found: Answer = outcome.result === 'translated' && outcome.permissions.read ? outcome.address : 'blocked'
    const mayWrite = outcome.result === 'translated' && outcome.permissions.write
    // What is not translated at all need not be told to a device either: it goes on asking for each access.
    if (found === 'blocked' && reads.includes(address)) continue
    if (reads.includes(found) && (!mayWrite || writes.includes(outcome.address))) continue
    fail(`a translation of 0x${address.toString(16)} for ${nameOf(each, pasid)}: expected ${reads.map(shown).join(' or ')}, `
      + `found ${shown(found)}${mayWrite ? ', to write too' : ''}`)
  }
}

/** Every point at every address that was named. */
const auditPoints = (model: Model, world: World): void => {
  const { bench, device: deviceOf } = world
  for (const each of model.devices) {
    if (each.state === 'untouched') continue
    const device = deviceOf(each)
    const asks = model.abilities.has('ats') && each.ats && asksForTranslations(world, device)
    for (const pasid of each.hasPasids && each.state === 'probed' ? [undefined, ...model.pasids] : [undefined]) {
      const point = { device, ...(pasid === undefined ? {} : { pasid }) }
      for (const address of model.addresses) {
        const look = (access: 'read' | 'write'): readonly Answer[] | undefined => {
          const expected = expectedAnswers(model, each, pasid, address, access)
          if (expected === undefined) return undefined
          const found = bench.answers(point, address, access)
          if (found.length > 0 && found.every((answer) => expected.includes(answer))) return expected
          return fail(`${access} of 0x${address.toString(16)} by ${nameOf(each, pasid)}: `
            + `expected ${expected.map(shown).join(' or ')}, found ${found.map(shown).join(' or ')}`)
        }
        const [reads, writes] = [look('read'), look('write')]
        if (asks && reads !== undefined && writes !== undefined) auditTranslations(world, each, pasid, address, reads, writes)
      }
    }
  }
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((one, other) => one - other)

/** What the core says of its groups, and domains of themselves. */
const auditBooks = (model: Model, { bench: { core }, device, domain: domainOf }: World): void => {
  for (const each of model.devices.filter(({ state }) => state === 'probed')) {
    const group = groupOf(model, each) as ModelGroup
    const face = core.group(device(each))
    check(face.domain === domainOf(group.domain), `the core's book has another domain for the group of ${each.name} than ${group.domain.name}`)
    same(`an owner of the group of ${each.name}`, face.owner !== undefined, group.owner !== undefined)
    same(`users of the group of ${each.name}`, face.ownerCount, group.claims)
    same(`PASIDs of the group of ${each.name}`, sorted(face.pasids.keys()), sorted(group.pasids.keys()))
    for (const domain of [group.domain, ...group.pasids.values()]) {
      if (domain.mappings.length + domain.owed.length === 0 || domain.kind === 'sva') continue
      for (const address of model.addresses) {
        const expected = answerOf(domain, address, 'read')
        same(`what ${domain.name} says of 0x${address.toString(16)}`, core.iovaToPhys(domainOf(domain), address), expected === 'blocked' ? undefined : expected)
      }
    }
  }
}

const isNothing = (domain: Domain | undefined): boolean => domain === undefined || domain.kind === 'blocked'

/**
 * What the driver is told: `old` is what was set last on that point. One exception: a first attach must succeed, and
 * where it fails the books have its domain all the same (C-ATTACH-01, Linux `__iommu_group_set_domain_internal`).
 */
export const createOldJudge = (): { judge(calls: readonly Call[]): void } => {
  const last = new Map<string, Domain | undefined>()
  const failedFirst = new Map<string, Domain | undefined>()
  return {
    judge(calls) {
      for (const { op, domain, device, pasid, old, outcome } of calls) {
        if (op === 'releaseDevice' && device !== undefined) for (const key of [...last.keys()]) if (key.startsWith(device.name)) last.delete(key)
        if (op !== 'attachDev' && op !== 'setDevPasid') continue
        const key = `${device?.name ?? ''} ${pasid ?? ''}`
        const before = last.get(key)
        const isExcepted = before === undefined && old === failedFirst.get(key)
        check(old === before || isExcepted || (pasid !== undefined && isNothing(old) && isNothing(before)),
          `the driver is told that ${old?.kind ?? 'nothing'} was on ${key.trim()}, where ${before?.kind ?? 'nothing'} was`)
        if (outcome === 'ok') last.set(key, domain)
        else if (before === undefined && pasid === undefined) failedFirst.set(key, domain)
      }
    },
  }
}

export const audit = (model: Model, world: World): void => {
  auditBooks(model, world)
  auditPoints(model, world)
}
