// Commands about points: attached, moved, detached, owned, reset; PASIDs set and taken off; processes bound.
import type { SvaBond } from '@iommu/core'
import { same } from '../check.js'
import { addressOf, ANY, FAILURES, failureOf, frameOf, FRAMES, hex, isInRange, PASIDS, pick, placesIn, PLACES, targetsIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { carries, fits, isRecovering, livePasids } from './model.js'
import type { Mapping, Model, ModelDomain, ModelGroup, ModelSpace } from './model.js'
import type { World } from './world.js'

const faceOf = (world: World, { device }: Place): ReturnType<World['bench']['core']['group']> => world.bench.core.group(world.device(device))

/** Whether requester ids of the group can go to a domain now. */
const predictSwitch = (model: Model, { device, group }: Place, domain: ModelDomain): string => {
  if (group.domain === domain) return 'ok'
  if (isRecovering(model, device.group)) return 'EBUSY'
  if (domain === model.blocked) return 'ok'
  if (!fits(model, domain, 'rid')) return 'EINVAL'
  return livePasids(group).length > 0 && !carries(model, device.group, domain) ? 'EBUSY' : 'ok'
}

const AGAIN = 'calls of the driver for a domain that is there already'

type Aimed = Place & { readonly domain: ModelDomain }

const aimAt = (model: Model, which: number, target: number): Aimed | undefined => {
  const place = pick(placesIn(model), which)
  const domain = place && pick(targetsIn(model, place), target)
  return place === undefined || domain === undefined ? undefined : { ...place, domain }
}

const switches = (name: 'attach' | 'replace', weight: number): Kind => ({
  name, weight, draws: [ANY, ANY, FAILURES],
  make: (which, target, fails) => command(name, {
    aim: (model) => aimAt(model, which, target),
    says: ({ device, domain }) => `the group of ${device.name} is ${name === 'attach' ? 'attached' : 'moved'} to ${domain.name}`,
    failure: failureOf(fails),
    infallible: ({ domain }) => domain.kind === 'blocked',
    predict(aim, model) {
      const { group, domain } = aim
      const isCoreOwn = group.domain === group.fallback || group.domain === group.blocking
      return [name === 'attach' && !isCoreOwn ? 'EBUSY' : predictSwitch(model, aim, domain)]
    },
    call(aim, world) {
      const { core, trace } = world.bench
      const before = trace.calls.length
      if (name === 'attach') core.attachGroup(world.domain(aim.domain), faceOf(world, aim))
      else core.replaceGroup(world.domain(aim.domain), faceOf(world, aim))
      if (aim.group.domain === aim.domain) same(AGAIN, trace.calls.length - before, 0)
    },
    settle({ group, domain }) { group.domain = domain },
  }),
})

/** Where a detached group goes. */
const coreDomain = ({ owner, blocking, fallback }: ModelGroup): ModelDomain => (owner === undefined ? fallback : blocking ?? fallback)

const detach: Kind = {
  name: 'detach', weight: 4, draws: [ANY],
  make: (which) => command('detach', {
    // What cannot fail is asked for where no live PASID is in its way.
    aim: (model) => pick(placesIn(model).filter(({ device, group }) =>
      livePasids(group).length === 0 || carries(model, device.group, coreDomain(group))), which),
    says: ({ device }) => `the group of ${device.name} is detached`,
    infallible: () => true,
    predict: () => ['ok'],
    call: (place, world) => world.bench.core.detachGroup(faceOf(world, place)),
    settle({ group }) { group.domain = coreDomain(group) },
  }),
}

const OWNERS = [{ name: 'owner A' }, { name: 'owner B' }] as const

/** The block that a group gets when it first needs one. */
const blockingOf = ({ manifest, blocked }: Model, { blocking }: ModelGroup): ModelDomain | undefined =>
  blocking ?? (manifest.blocked.rid ? blocked : undefined)

const claim: Kind = {
  name: 'claim', weight: 4, draws: [ANY, OWNERS.length, 2],
  make: (which, who, shared) => {
    const owner = OWNERS[who === 0 ? 0 : 1]
    return command('claim', {
      aim: (model) => pick(placesIn(model), which),
      says: ({ device }) => `${owner.name} claims ${shared === 1 ? device.name : `the group of ${device.name}`}`,
      infallible: () => true,
      predict(place, model) {
        const { group } = place
        if (group.claims > 0) return [shared === 1 && group.owner === who ? 'ok' : 'EPERM']
        if (group.domain !== group.fallback || group.pasids.size > 0) return ['EBUSY']
        const block = blockingOf(model, group)
        return [block === undefined ? 'EINVAL' : predictSwitch(model, place, block)]
      },
      call(place, world) {
        if (shared === 1) world.bench.core.claimDevice(world.device(place.device), owner)
        else world.bench.core.claimGroup(faceOf(world, place), owner)
      },
      settle({ group }, model) {
        if (group.claims === 0) {
          group.blocking = blockingOf(model, group)
          group.domain = group.blocking ?? group.domain
        }
        group.owner = who
        group.claims += 1
      },
    })
  },
}

const giveBack: Kind = {
  name: 'giveBack', weight: 2, draws: [ANY],
  make: (which) => command('giveBack', {
    aim: (model) => pick(placesIn(model), which),
    says: ({ device }) => `the group of ${device.name} is given back by its owner`,
    infallible: () => true,
    predict: () => ['ok'],
    call: (place, world) => world.bench.core.releaseGroup(faceOf(world, place)),
    settle({ group }) {
      // Without a claim, or with PASIDs, it is told and not done.
      if (group.claims === 0 || group.pasids.size > 0) return
      group.owner = undefined
      group.claims = 0
      group.domain = group.fallback
    },
  }),
}

/** What the driver must answer to a PASID; under a requester id that stills PASIDs there are none. */
const predictPasid = (model: Model, { device, group, domain }: Aimed): string =>
  (domain === model.blocked || carries(model, device.group, group.domain) ? 'ok' : 'EINVAL')

const attachPasid: Kind = {
  name: 'attachPasid', weight: 10, draws: [ANY, PASIDS.length, ANY, FAILURES],
  make: (which, number, target, fails) => {
    const pasid = PASIDS[number] ?? 0
    return command('attachPasid', {
      aim: (model) => aimAt(model, which, target),
      says: ({ device, domain }) => `PASID ${pasid} of ${device.name} is attached to ${domain.name}`,
      failure: failureOf(fails),
      predict(aim, model) {
        const { device, group, domain } = aim
        if (!model.manifest.blocked.pasid) return ['EOPNOTSUPP']
        // Two reasons may be told in either order.
        if (!fits(model, domain, 'pasid')) return ['EOPNOTSUPP', 'EINVAL', 'EBUSY']
        if (isRecovering(model, device.group)) return ['EBUSY']
        if (!isInRange(model, device, pasid)) return ['EINVAL']
        return [group.pasids.has(pasid) ? 'EBUSY' : predictPasid(model, aim)]
      },
      call: ({ device, domain }, world) => world.bench.core.attachPasid(world.domain(domain), world.device(device), pasid),
      settle({ group, domain }, model) {
        group.pasids.set(pasid, domain)
        if (pasid < model.manifest.maxPasids) model.pasids.add(pasid)
      },
    })
  },
}

const heldPasids = (model: Model): (Place & { readonly pasid: number; readonly held: ModelDomain })[] =>
  placesIn(model).flatMap((place) => [...place.group.pasids].flatMap(([pasid, held]) => (held.kind === 'sva' ? [] : [{ ...place, pasid, held }])))

const replacePasid: Kind = {
  name: 'replacePasid', weight: 6, draws: [ANY, ANY, FAILURES],
  make: (which, target, fails) => command('replacePasid', {
    aim(model) {
      const place = pick(heldPasids(model), which)
      const domain = place && pick(targetsIn(model, place), target)
      if (place === undefined || domain === undefined || !fits(model, domain, 'pasid')) return undefined
      // Under a requester id that stills PASIDs nothing is said about replacing them.
      return carries(model, place.device.group, place.group.domain) ? { ...place, domain } : undefined
    },
    says: ({ device, pasid, domain }) => `PASID ${pasid} of ${device.name} is moved to ${domain.name}`,
    failure: failureOf(fails),
    predict: ({ device }, model) => [isRecovering(model, device.group) ? 'EBUSY' : 'ok'],
    call({ device, pasid, domain, held }, world) {
      const { core, trace } = world.bench
      const before = trace.calls.length
      core.replacePasid(world.domain(domain), world.device(device), pasid, {})
      if (domain === held) same(AGAIN, trace.calls.length - before, 0)
    },
    settle: ({ group, pasid, domain }) => void group.pasids.set(pasid, domain),
  }),
}

const detachPasid: Kind = {
  name: 'detachPasid', weight: 5, draws: [ANY],
  make: (which) => command('detachPasid', {
    aim: (model) => pick(heldPasids(model), which),
    says: ({ device, pasid }) => `PASID ${pasid} of ${device.name} is detached`,
    infallible: () => true,
    predict: () => ['ok'],
    call: ({ device, pasid, held }, world) => world.bench.core.detachPasid(world.domain(held), world.device(device), pasid),
    settle: ({ group, pasid }) => void group.pasids.delete(pasid),
  }),
}

const prepareReset: Kind = {
  name: 'prepareReset', weight: 3, draws: [ANY],
  make: (which) => command('prepareReset', {
    // PASIDs that are stilled under a blocked requester id would not come back.
    aim: (model) => pick(placesIn(model).filter(({ device, group }) =>
      device.announced && (livePasids(group).length === 0 || carries(model, device.group, group.domain))), which),
    says: ({ device }) => `a reset of ${device.name} begins`,
    infallible: () => true,
    predict: ({ device, group }, model) => [device.resetDepth === 0 && blockingOf(model, group) === undefined ? 'EINVAL' : 'ok'],
    call: ({ device }, world) => world.bench.core.prepareReset(world.device(device)),
    settle({ device, group }, model) {
      group.blocking = blockingOf(model, group)
      device.resetDepth += 1
    },
  }),
}

const finishReset: Kind = {
  name: 'finishReset', weight: 5, draws: [ANY],
  make: (which) => command('finishReset', {
    aim: (model) => pick(placesIn(model).filter(({ device }) => device.resetDepth > 0), which),
    says: ({ device }) => `a reset of ${device.name} ends`,
    infallible: () => true,
    predict: () => ['ok'],
    call: ({ device }, world) => world.bench.core.finishReset(world.device(device)),
    settle({ device }) { device.resetDepth -= 1 },
  }),
}

type Process = Place & { readonly space: ModelSpace }

const processAt = (model: Model, which: number, index: number): Process | undefined => {
  const place = pick(placesIn(model).filter(({ device }) => device.hasPasids), which)
  const space = pick(model.spaces, index)
  return place === undefined || space === undefined || !model.manifest.sva.pasid ? undefined : { ...place, space }
}

const users = ({ space, device }: Process): number => space.users.get(device.group) ?? 0

const bind: Kind = {
  name: 'bind', weight: 4, draws: [ANY, ANY, FAILURES],
  make: (which, index, fails) => command('bind', {
    aim: (model) => processAt(model, which, index),
    says: ({ device, space }) => `${device.name} is bound to ${space.domain.name}`,
    failure: failureOf(fails),
    predict(aim, model) {
      if (users(aim) > 0) return ['ok']
      return [isRecovering(model, aim.device.group) ? 'EBUSY' : predictPasid(model, { ...aim, domain: aim.space.domain })]
    },
    call: ({ device, space }, world): SvaBond | undefined => {
      const cpu = world.space(space)
      return cpu && world.bench.core.bindSva(world.device(device), cpu.space)
    },
    settle(aim, model, world, bond) {
      if (bond === undefined) return
      const { device, group, space } = aim
      world.keep(space, device.group, bond)
      space.users.set(device.group, users(aim) + 1)
      model.pasids.add(bond.pasid)
      group.pasids.set(bond.pasid, space.domain)
      const real = world.bench.core.group(world.device(device)).pasids.get(bond.pasid)
      if (real !== undefined) world.name(space.domain, real)
    },
  }),
}

const unbind: Kind = {
  name: 'unbind', weight: 3, draws: [ANY],
  make: (which) => command('unbind', {
    aim: (model) => pick(
      model.spaces.flatMap((space) => placesIn(model).map((place) => ({ ...place, space }))).filter((each) => users(each) > 0), which),
    says: ({ device, space }) => `${device.name} is unbound from ${space.domain.name}`,
    infallible: () => true,
    predict: () => ['ok'],
    call({ device, space }, world): SvaBond | undefined {
      const bond = world.bond(space, device.group)
      if (bond !== undefined) world.bench.core.unbindSva(bond)
      return bond
    },
    settle(aim, _model, _world, bond) {
      aim.space.users.set(aim.device.group, users(aim) - 1)
      if (users(aim) === 0 && bond !== undefined) aim.group.pasids.delete(bond.pasid)
    },
  }),
}

const processMaps: Kind = {
  name: 'processMaps', weight: 3, draws: [ANY, PLACES.length, FRAMES],
  make: (index, place, frame) => command('processMaps', {
    aim: (model) => (model.manifest.sva.pasid ? pick(model.spaces, index) : undefined),
    says: ({ domain }) => `${domain.name} maps a page at place ${place} to frame ${frame}`,
    predict: () => ['ok'],
    call(space, world): Mapping | undefined {
      const cpu = world.space(space)
      const iova = addressOf(world, place)
      const physical = frameOf(world, place, frame)
      if (cpu === undefined || space.domain.mappings.some((each) => each.iova === iova)) return undefined
      cpu.map(iova, physical)
      return { iova, physical, bytes: 1n << BigInt(cpu.space.pageShift), write: true }
    },
    settle({ domain }, model, _world, made) {
      if (made === undefined) return
      model.addresses.add(made.iova)
      domain.mappings = [...domain.mappings, made]
    },
  }),
}

const processUnmaps: Kind = {
  name: 'processUnmaps', weight: 3, draws: [ANY],
  make: (which) => command('processUnmaps', {
    aim: ({ spaces }) => pick(spaces.flatMap((space) => space.domain.mappings.map((mapping) => ({ space, mapping }))), which),
    says: ({ space, mapping }) => `${space.domain.name} unmaps its page at ${hex(mapping.iova)}`,
    predict: () => ['ok'],
    call: ({ space, mapping }, world) => world.space(space)?.unmap(mapping.iova),
    settle: ({ space: { domain }, mapping }) => { domain.mappings = domain.mappings.filter((each) => each !== mapping) },
  }),
}

export const pointKinds: readonly Kind[] = [
  switches('attach', 8), switches('replace', 12), detach, claim, giveBack, attachPasid, replacePasid, detachPasid, prepareReset, finishReset,
  bind, unbind, processMaps, processUnmaps,
]
