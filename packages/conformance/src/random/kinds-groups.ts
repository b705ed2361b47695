// Commands about requester ids: attached, moved, detached, owned, reset.
import { same } from '../check.js'
import { ANY, FAILURES, failureOf, pick, placesIn, targetsIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { carries, fits, isRecovering, livePasids } from './model.js'
import type { Model, ModelDomain, ModelGroup } from './model.js'
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

export const AGAIN = 'calls of the driver for a domain that is there already'

/** A point, and a domain for it. */
export type Aimed = Place & { readonly domain: ModelDomain }

export const aimAt = (model: Model, which: number, target: number): Aimed | undefined => {
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


export const groupKinds: readonly Kind[] = [switches('attach', 8), switches('replace', 12), detach, claim, giveBack]

export const resetKinds: readonly Kind[] = [prepareReset, finishReset]
