// Commands about requester ids: attached, moved, detached, owned, reset; and their default domains.
// Long: the commands of one subject stand together.
import type { DefaultType } from '@iommu/core'
import { same } from '../check.js'
import { ANY, FAILURES, failureOf, pick, placesIn, targetsIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { sync } from './kinds-domains.js'
import { carries, carriesNow, crossingOf, fits, groupOf, isRecovering, livePasids, membersOf } from './model.js'
import type { Model, ModelDomain, ModelGroup } from './model.js'
import { fallbackOf } from './world.js'
import type { World } from './world.js'

export const faceOf = (world: World, { device }: Place): ReturnType<World['bench']['core']['group']> => world.bench.core.group(world.device(device))

const OK = ['ok'] as const

/** Whether requester ids of the group can go to a domain now. */
const predictSwitch = (model: Model, { device, group }: Place, domain: ModelDomain): readonly string[] => {
  if (group.domain === domain) return OK
  if (isRecovering(model, device.group)) return ['EBUSY']
  if (domain === model.blocked) return OK
  const does = fits(model, domain, 'rid', device.unit)
  if (does === false) return ['EINVAL']
  const busy = livePasids(group).length > 0 && !carries(model, device.group, domain)
  return [busy ? 'EBUSY' : 'ok', ...(does === undefined ? ['EINVAL'] : [])]
}

/** The devices of a group in a reset stay blocked. */
const attached = (model: Model, { device, group }: Place): void => {
  for (const each of membersOf(model, device.group)) if (each.resetDepth === 0) each.deferred = false
  group.shaken = false
}

/** Requester ids have gone to another domain. */
const move = (model: Model, place: Place, domain: ModelDomain): void => {
  if (place.group.domain !== domain) attached(model, place)
  place.group.domain = domain
}

/** What a failed switch leaves: who was attached before the failure has been set back, and waits no longer. */
export const learnFromRefusal = (model: Model, world: World, { device, group }: Place, byHardware: boolean): void => {
  if (byHardware) group.shaken = true
  for (const each of membersOf(model, device.group)) {
    const real = world.device(each)
    if (world.bench.trace.calls.some((call) => call.op === 'attachDev' && call.device === real && call.outcome === 'ok')) each.deferred = false
  }
}

/** A unit that took a domain of another unit, or refused it, says the same ever after. */
export const learnCrossing = (model: Model, { device: { unit }, domain }: Aimed, takes: boolean): void => {
  if (domain.unit !== unit) model.crossings.set(crossingOf(domain, unit), takes)
}

export const AGAIN = 'calls of the driver for a domain that is there already'

/** A point, and a domain for it. */
export type Aimed = Place & { readonly domain: ModelDomain }

export const aimAt = (model: Model, which: number, target: number): Aimed | undefined => {
  const place = pick(placesIn(model), which)
  const domain = place && pick(targetsIn(model, place), target)
  return place === undefined || domain === undefined ? undefined : { ...place, domain }
}

const isCoreOwn = ({ domain, fallback, blocking }: ModelGroup): boolean => domain === fallback || domain === blocking

/** `alone`: by the call that is for groups of one device. */
const attach: Kind = {
  name: 'attach', weight: 8, draws: [ANY, ANY, 3, FAILURES],
  make: (which, target, alone, fails) => command('attach', {
    aim: (model) => aimAt(model, which, target),
    says: ({ device, domain }) => `${alone === 0 ? device.name : `the group of ${device.name}`} is attached to ${domain.name}`,
    failure: failureOf(fails),
    infallible: ({ domain }) => domain.kind === 'blocked',
    predict(aim, model) {
      if (alone === 0 && membersOf(model, aim.device.group).length > 1) return ['EINVAL']
      return isCoreOwn(aim.group) ? predictSwitch(model, aim, aim.domain) : ['EBUSY']
    },
    call: (aim, world) => unlessThere(aim, world, () => (alone === 0
      ? world.bench.core.attachDevice(world.domain(aim.domain), world.device(aim.device))
      : world.bench.core.attachGroup(world.domain(aim.domain), faceOf(world, aim)))),
    settle(aim, model) {
      learnCrossing(model, aim, true)
      move(model, aim, aim.domain)
      aim.group.handles.delete(0)
    },
    refused(aim, ...rest) {
      if (alone > 0 || membersOf(rest[0], aim.device.group).length === 1) refusedSwitch(aim, ...rest)
    },
  }),
}

/** Setting what is set already calls no driver. */
const unlessThere = ({ group, domain }: Aimed, { bench: { trace } }: World, call: () => void): void => {
  const before = trace.calls.length
  call()
  if (group.domain === domain) same(AGAIN, trace.calls.length - before, 0)
}

const refusedSwitch = (aim: Aimed, model: Model, world: World, code: string, byHardware: boolean): void => {
  if (code === 'EINVAL' && fits(model, aim.domain, 'rid', aim.device.unit) === undefined) learnCrossing(model, aim, false)
  learnFromRefusal(model, world, aim, byHardware)
}

const replace: Kind = {
  name: 'replace', weight: 12, draws: [ANY, ANY, 3, FAILURES],
  make: (which, target, handle, fails) => command('replace', {
    aim: (model) => aimAt(model, which, target),
    says: ({ device, domain }) => `the group of ${device.name} is moved to ${domain.name}${handle === 0 ? ', with a handle' : ''}`,
    failure: failureOf(fails),
    infallible: ({ domain }) => domain.kind === 'blocked',
    predict: (aim, model) => predictSwitch(model, aim, aim.domain),
    call: (aim, world) => unlessThere(aim, world, () =>
      world.bench.core.replaceGroup(world.domain(aim.domain), faceOf(world, aim), ...(handle === 0 ? [{}] : []))),
    settle(aim, model) {
      learnCrossing(model, aim, true)
      move(model, aim, aim.domain)
      aim.group.handles.delete(0)
      if (handle === 0) aim.group.handles.add(0)
    },
    refused: refusedSwitch,
  }),
}

/** Where a detached group goes. */
const coreDomain = ({ owner, blocking, fallback }: ModelGroup): ModelDomain => (owner === undefined ? fallback : blocking ?? fallback)

const detach: Kind = {
  name: 'detach', weight: 4, draws: [ANY, 3],
  make: (which, alone) => command('detach', {
    // What cannot fail is asked for where no live PASID is in its way.
    aim: (model) => pick(placesIn(model).filter(({ device, group }) =>
      livePasids(group).length === 0 || carries(model, device.group, coreDomain(group))), which),
    says: ({ device }) => `${alone === 0 ? device.name : `the group of ${device.name}`} is detached`,
    infallible: () => true,
    predict: () => OK,
    call(place, world) {
      if (alone === 0) world.bench.core.detachDevice(world.domain(place.group.domain), world.device(place.device))
      else world.bench.core.detachGroup(faceOf(world, place))
    },
    settle(place, model) {
      // A device that is not the only one of its group is not detached: it is told, and not done.
      if (alone === 0 && membersOf(model, place.device.group).length > 1) return
      place.group.handles.delete(0)
      move(model, place, coreDomain(place.group))
    },
  }),
}

const OWNERS = [{ name: 'owner A' }, { name: 'owner B' }] as const

/** The block that a group gets when it first needs one. */
const blockingOf = ({ manifest, blocked }: Model, { blocking }: ModelGroup): ModelDomain | undefined =>
  blocking ?? (manifest.blocked.rid ? blocked : undefined)

/** On its default domain, and with nothing on PASIDs or handles. */
const isIdle = ({ domain, fallback, pasids, handles }: ModelGroup): boolean => domain === fallback && pasids.size + handles.size === 0

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
        if (!isIdle(group)) return ['EBUSY']
        const block = blockingOf(model, group)
        return block === undefined ? ['EINVAL'] : predictSwitch(model, place, block)
      },
      call(place, world) {
        if (shared === 1) world.bench.core.claimDevice(world.device(place.device), owner)
        else world.bench.core.claimGroup(faceOf(world, place), owner)
      },
      settle(place, model) {
        const { group } = place
        if (group.claims === 0) {
          group.blocking = blockingOf(model, group)
          move(model, place, group.blocking ?? group.domain)
        }
        group.owner = who
        group.claims += 1
      },
    })
  },
}

const giveBack: Kind = {
  name: 'giveBack', weight: 2, draws: [ANY, 2],
  make: (which, shared) => command('giveBack', {
    aim: (model) => pick(placesIn(model).filter(({ group }) => group.claims === 0 || group.owner !== undefined), which),
    says: ({ device }) => `${shared === 1 ? device.name : `the group of ${device.name}`} is given back by its owner`,
    infallible: () => true,
    predict: () => OK,
    call(place, world) {
      if (shared === 1) world.bench.core.releaseDeviceClaim(world.device(place.device))
      else world.bench.core.releaseGroup(faceOf(world, place))
    },
    settle(place, model) {
      const { group } = place
      if (shared === 1 && group.claims > 1) group.claims -= 1
      // Without a claim, or with PASIDs, it is told and not done.
      else if (group.claims > 0 && group.pasids.size + group.handles.size === 0) {
        group.owner = undefined
        group.claims = 0
        move(model, place, group.fallback)
      }
    },
  }),
}

const use: Kind = {
  name: 'use', weight: 2, draws: [ANY],
  make: (which) => command('use', {
    aim: (model) => pick(model.devices, which),
    says: ({ name }) => `a native driver uses ${name}`,
    infallible: () => true,
    predict(device, model) {
      const group = groupOf(model, device)
      if (device.state !== 'probed' || group === undefined) return ['EPROBE_DEFER']
      return [group.owner !== undefined || !isIdle(group) ? 'EBUSY' : 'ok']
    },
    call: (device, world) => world.bench.core.useDefaultDomain(world.device(device)),
    settle(device, model) {
      const group = groupOf(model, device)
      if (group !== undefined) group.claims += 1
    },
  }),
}

const unuse: Kind = {
  name: 'unuse', weight: 3, draws: [ANY],
  make: (which) => command('unuse', {
    aim: (model) => pick(placesIn(model).filter(({ group }) => group.claims > 0 && group.owner === undefined), which),
    says: ({ device }) => `a native driver of ${device.name} has done with it`,
    infallible: () => true,
    predict: () => OK,
    call: ({ device }, world) => world.bench.core.unuseDefaultDomain(world.device(device)),
    settle({ group }) {
      if (group.pasids.size + group.handles.size === 0) group.claims -= 1
    },
  }),
}

const TYPES: readonly DefaultType[] = ['identity', 'dma', 'dma-fq']

/** What the driver insists on for a group's default domain; identity wins. */
const wishOf = (model: Model, { bench: { ops }, device: deviceOf }: World, { device }: Place): string | undefined => {
  const wishes = membersOf(model, device.group).flatMap((each) => ops.defDomainType?.(deviceOf(each)) ?? [])
  return wishes.find((wish) => wish === 'identity') ?? wishes[0]
}

const setDefaultType: Kind = {
  name: 'setDefaultType', weight: 2, draws: [ANY, TYPES.length, FAILURES],
  make: (which, number, fails) => {
    const type = TYPES[number] ?? 'dma'
    return command('setDefaultType', {
      // With a flush queue that nobody is to have, or a domain that is not the core's own in its place, nothing is asked.
      aim: (model) => pick(placesIn(model).filter(({ device, group }) => group.domain === group.fallback && group.pasids.size === 0
        && !isRecovering(model, device.group) && (type !== 'dma-fq' || model.abilities.has('flush-queue'))), which),
      says: ({ device }) => `the default domain of ${device.name} is to be of type ${type}`,
      failure: failureOf(fails),
      predict(place, model, world) {
        const { device, group } = place
        if (type === 'dma-fq' && group.type === 'dma') {
          return [world.bench.ops.capable?.(world.device(device), 'deferred-flush') === true ? 'ok' : 'EOPNOTSUPP']
        }
        if (group.claims > 0) return ['EBUSY']
        const wish = wishOf(model, world, place)
        if (wish !== undefined && wish !== type) return ['EINVAL']
        if (type === group.type) return OK
        if (type === 'identity') return [model.manifest.identity.rid ? 'ok' : 'EINVAL']
        return [model.manifest.paging.rid ? 'ok' : 'EOPNOTSUPP']
      },
      call(place, world) {
        sync(place.group.fallback, world)
        world.bench.core.setDefaultType(faceOf(world, place), type)
      },
      settle(place, model, world) {
        const { device, group } = place
        const { defaultDomain: real, defaultType } = faceOf(world, place)
        group.type = defaultType
        same('the default type', defaultType === 'dma' && type === 'dma-fq' ? type : defaultType, type)
        if (real === undefined || real === world.domain(group.fallback)) return
        const fallback = fallbackOf(model, device, real)
        if (fallback !== model.identity) world.name(fallback, real)
        group.buffers = []
        group.fallback = fallback
        group.domain = fallback
        group.shaken = false
      },
      refused: (place, model, world, _code, byHardware) => learnFromRefusal(model, world, place, byHardware),
    })
  },
}

const prepareReset: Kind = {
  name: 'prepareReset', weight: 3, draws: [ANY],
  make: (which) => command('prepareReset', {
    // PASIDs that are stilled under a blocked requester id would not come back.
    aim: (model) => pick(placesIn(model).filter(({ device, group }) => device.ats
      && (livePasids(group).length === 0 || (carries(model, device.group, group.domain) && carriesNow(model, device.group)))), which),
    says: ({ device }) => `a reset of ${device.name} begins`,
    infallible: () => true,
    predict: ({ device, group }, model) => [device.resetDepth === 0 && blockingOf(model, group) === undefined ? 'EINVAL' : 'ok'],
    call: ({ device }, world) => world.bench.core.prepareReset(world.device(device)),
    settle(place, model) {
      const { device, group } = place
      group.blocking = blockingOf(model, group)
      // A group that is blocked already is not attached again: what waits goes on waiting.
      if (device.resetDepth === 0 && group.domain !== group.blocking) attached(model, place)
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
    predict: () => OK,
    call: ({ device }, world) => world.bench.core.finishReset(world.device(device)),
    settle({ device }) { device.resetDepth -= 1 },
  }),
}

export const groupKinds: readonly Kind[] = [attach, replace, detach]

export const ownerKinds: readonly Kind[] = [claim, giveBack, use, unuse, setDefaultType]

export const resetKinds: readonly Kind[] = [prepareReset, finishReset]
