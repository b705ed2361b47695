// The other side of a walk: machine, driver and core layer, and what they are asked after every command.
import type { Device, Domain, SvaBond } from '@iommu/core'
import type { Backend, CreateCore, TestAddressSpace } from '../backend.js'
import { createBench } from '../bench.js'
import type { Answer, Bench, DeviceSpec } from '../bench.js'
import { check, fail, same } from '../check.js'
import { formatsFor } from '../states.js'
import type { Call } from '../trace.js'
import { answerOf, createModel, expectedAnswer, groupOf } from './model.js'
import type { Model, ModelDevice, ModelDomain, ModelGroup, ModelSpace } from './model.js'

/** A device with everything; two that are not isolated, of which one has no PASIDs and comes under two ids. */
const DEVICES: readonly DeviceSpec[] = [
  { requesterId: 0x20, ats: true, endpoint: { pasidWidth: 20, atsQueueDepth: 31 } },
  { requesterId: 0x21, isolation: 'pair', endpoint: { pasidWidth: 20 } },
  { requesterId: 0x22, isolation: 'pair', aliases: [0x28] },
]

/** What commands call, and what belongs to the model's names. */
export interface World {
  readonly bench: Bench
  /** The device of a model's device. */
  device(device: ModelDevice): Device
  domain(domain: ModelDomain): Domain
  name(domain: ModelDomain, real: Domain): void
  /** A process's memory; undefined where the backend has none. */
  space(space: ModelSpace): TestAddressSpace | undefined
  /** The bond of a group with a process. */
  keep(space: ModelSpace, group: string, bond: SvaBond): void
  bond(space: ModelSpace, group: string): SvaBond | undefined
  /** Every point does DMA everywhere, so that caches hold what they can. */
  warm(model: Model): void
}

export const createWorld = (
  backend: Backend, defaultType: 'dma' | 'identity', createCore: CreateCore,
): { readonly model: Model; readonly world: World } => {
  // Where all devices share one translation there is one device to talk of.
  const bench = createBench(backend, createCore, {
    devices: backend.oneTranslation === true ? DEVICES.slice(0, 1) : DEVICES, core: { defaultType },
  })
  const { manifest } = bench.ops
  const model = createModel(manifest, bench.devices.map((device): ModelDevice => ({
    name: device.name,
    group: device.isolation ?? device.name,
    hasPasids: manifest.maxPasids > 0 && (DEVICES.find(({ requesterId }) => requesterId === device.requesterId)?.endpoint?.pasidWidth ?? 0) > 0,
    announced: device.ats === true,
    state: 'untouched',
    resetDepth: 0,
  })))
  const domains = new Map<ModelDomain, Domain>()
  const spaces = new Map<ModelSpace, TestAddressSpace | undefined>()
  const bonds = new Map<string, SvaBond>()
  const world: World = {
    bench,
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
    warm({ devices, addresses, pasids }) {
      for (const each of devices.filter(({ state }) => state === 'probed')) {
        const device = world.device(each)
        for (const address of addresses) {
          bench.dma({ device }, address)
          if (each.hasPasids) for (const pasid of pasids) bench.dma({ device, pasid }, address)
        }
      }
    },
  }
  return { model, world }
}

/** What the core has chosen as a new group's default, by the model's words. */
export const fallbackOf = ({ manifest, identity }: Model, { name }: ModelDevice, real: Domain): ModelDomain => {
  if (real.kind === 'identity') return identity
  const where = 'pasidCapable' in real && real.pasidCapable === true ? 'pasid' : 'rid'
  const [kind = real.kind] = formatsFor(manifest, where)
  return { name: `the default domain of ${name}`, kind, mappings: [] }
}

const shown = (answer: Answer): string => (answer === 'blocked' ? 'blocked' : `0x${answer.toString(16)}`)

/** Every point at every address that was named. */
const auditPoints = (model: Model, { bench, device: deviceOf }: World): void => {
  for (const each of model.devices) {
    if (each.state === 'untouched') continue
    const device = deviceOf(each)
    for (const pasid of each.hasPasids && each.state === 'probed' ? [undefined, ...model.pasids] : [undefined]) {
      for (const address of model.addresses) {
        for (const access of ['read', 'write'] as const) {
          const expected = expectedAnswer(model, each, pasid, address, access)
          if (expected === undefined) continue
          const found = bench.answers({ device, ...(pasid === undefined ? {} : { pasid }) }, address, access)
          if (found.length === 1 && found[0] === expected) continue
          fail(`${access} of 0x${address.toString(16)} by ${each.name}${pasid === undefined ? '' : ` PASID ${pasid}`}: `
            + `expected ${shown(expected)}, found ${found.map(shown).join(' or ')}`)
        }
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
    same(`PASIDs of the group of ${each.name}`, sorted(face.pasids.keys()), sorted(group.pasids.keys()))
    for (const domain of [group.domain, ...group.pasids.values()]) {
      if (domain.mappings.length === 0 || domain.kind === 'sva') continue
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
