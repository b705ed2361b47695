// Commands about devices and domains: probed, released, allocated, mapped, unmapped, freed; and DMA.
import type { PagingDomain } from '@iommu/core'
import { fail, same } from '../check.js'
import { formatsFor } from '../states.js'
import {
  addressOf, ANY, bytesOf, FAILURES, failureOf, frameOf, FRAMES, hex, LENGTHS, mappingsIn, pageOf, pick, placesIn, PLACES, SLOTS, tablesIn,
} from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { groupOf, isInUse, isRecovering, manifestAt, membersOf, overlaps } from './model.js'
import type { Mapping, ModelDomain } from './model.js'
import { fallbackOf } from './world.js'
import type { World } from './world.js'

/** Whoever frees a domain has synced what it unmapped there. */
export const sync = (domain: ModelDomain, world: World): void => {
  if (domain.owed.some(({ by }) => by === 'gather')) world.bench.core.sync(world.domain(domain), world.gather(domain))
  domain.owed = domain.owed.filter(({ by }) => by !== 'gather')
}

const probe: Kind = {
  name: 'probe', weight: 8, draws: [ANY, FAILURES],
  make: (which, fails) => command('probe', {
    // A device that joins a group gets none of its PASIDs, and nothing joins during a reset.
    aim: (model) => pick(model.devices.filter((device) =>
      device.state !== 'probed' && (groupOf(model, device)?.pasids.size ?? 0) === 0 && !isRecovering(model, device.group)), which),
    says: ({ name }) => `${name} is probed`,
    failure: failureOf(fails),
    predict: () => ['ok'],
    call(device, world) {
      // What a failed probe leaves is blocked, or what the firmware left: nothing is asked of it.
      device.state = 'untouched'
      world.bench.core.probeDevice(world.device(device))
    },
    settle(device, model, world) {
      device.state = 'probed'
      const { defaultDomain: real, defaultType: type } = world.bench.core.group(world.device(device))
      const known = groupOf(model, device)
      // What waits is the default domain: any other one is attached at once.
      device.deferred = model.setting.deferred && (known === undefined || known.domain === known.fallback)
      if (known !== undefined) return
      if (real === undefined) return fail(`${device.name} is probed, and has no default domain`)
      const fallback = fallbackOf(model, device, real)
      if (fallback !== model.identity) world.name(fallback, real)
      model.groups.set(device.group, {
        fallback, type, domain: fallback, blocking: undefined, owner: undefined, claims: 0, pasids: new Map(), handles: new Set(), buffers: [],
        shaken: false,
      })
    },
  }),
}

const release: Kind = {
  name: 'release', weight: 2, draws: [ANY],
  make: (which) => command('release', {
    aim: (model) => pick(placesIn(model).filter(({ device, group }) => group.pasids.size === 0 && !isRecovering(model, device.group)), which),
    says: ({ device }) => `${device.name} is released`,
    predict: () => ['ok'],
    call({ device, group }, world) {
      const { core, trace } = world.bench
      sync(group.fallback, world)
      const before = trace.calls.length
      core.releaseDevice(world.device(device))
      if (device.deferred) same('attaches of a device that nothing was attached to', trace.calls.slice(before).filter(({ op }) => op === 'attachDev').length, 0)
    },
    settle({ device, group }, model) {
      device.state = 'released'
      device.deferred = false
      group.buffers = group.buffers.filter((each) => each.device !== device)
      if (membersOf(model, device.group).length === 0) model.groups.delete(device.group)
    },
  }),
}

const alloc: Kind = {
  name: 'alloc', weight: 12, draws: [ANY, ANY, 2, FAILURES],
  make: (which, format, use, fails) => {
    const where = use === 1 ? 'pasid' : 'rid'
    return command('alloc', {
      aim(model) {
        const place = pick(placesIn(model), which)
        const kind = place && pick(formatsFor(manifestAt(model, place.device.unit), where), format)
        const slot = Array.from({ length: SLOTS }, (_, index) => index).find((each) => !model.slots.has(each))
        return place === undefined || kind === undefined || slot === undefined ? undefined : { ...place, kind, slot }
      },
      says: ({ device, kind, slot }) => `domain ${slot} is allocated for ${device.name}, ${kind}${use === 1 ? ' for PASIDs' : ''}`,
      failure: failureOf(fails),
      predict: () => ['ok'],
      call: ({ device, kind }, world): PagingDomain =>
        world.bench.core.allocPaging(world.device(device), { format: kind, ...(use === 1 ? { pasid: true } : {}) }),
      settle({ device: { unit }, kind, slot }, model, world, made) {
        const domain: ModelDomain = { name: `domain ${slot} (${kind})`, kind, unit, mappings: [], owed: [] }
        world.name(domain, made)
        model.slots.set(slot, domain)
      },
    })
  },
}

const free: Kind = {
  name: 'free', weight: 3, draws: [ANY],
  make: (which) => command('free', {
    aim: ({ slots }) => pick([...slots], which),
    says: ([, domain]) => `${domain.name} is freed`,
    predict: ([, domain], model) => [isInUse(model, domain) ? 'EBUSY' : 'ok'],
    call([, domain], world) {
      sync(domain, world)
      world.bench.core.freeDomain(world.domain(domain))
    },
    settle: ([slot], model) => void model.slots.delete(slot),
  }),
}

const map: Kind = {
  name: 'map', weight: 18, draws: [ANY, PLACES.length, LENGTHS, FRAMES, 4, FAILURES],
  make: (which, place, length, frame, access, fails) => {
    const write = access > 0
    return command('map', {
      aim: (model) => pick(tablesIn(model), which),
      says: ({ name }) => `${['a page', 'two pages', 'two places', 'a large page'][length] ?? ''} at place ${place} of ${name} is mapped to frame ${frame}${write ? '' : ', read-only'}`,
      failure: failureOf(fails),
      predict(domain, model, world) {
        const iova = addressOf(world, place)
        const bytes = bytesOf(world, domain, length)
        for (const address of [iova, iova + bytes - pageOf(world, domain)]) model.addresses.add(address)
        // A format without permissions cannot say it, and refuses.
        const unsaid = write ? [] : ['EINVAL']
        return [...unsaid, ...(overlaps(domain.mappings, iova, bytes) ? ['EADDRINUSE', 'EEXIST'] : ['ok'])]
      },
      call: (domain, world) => world.bench.core.map(
        world.domain(domain), addressOf(world, place), frameOf(world, place, frame), bytesOf(world, domain, length), { read: true, write }),
      settle(domain, _model, world) {
        const made = { iova: addressOf(world, place), physical: frameOf(world, place, frame), bytes: bytesOf(world, domain, length), write }
        domain.mappings = [...domain.mappings, made]
      },
    })
  },
}

type Mapped = ReturnType<typeof mappingsIn>[number]

const without = ({ domain: { mappings }, mapping }: Mapped): readonly Mapping[] => mappings.filter((each) => each !== mapping)

const unmap: Kind = {
  name: 'unmap', weight: 10, draws: [ANY],
  make: (which) => command('unmap', {
    aim: (model) => pick(mappingsIn(model), which),
    says: ({ domain, mapping: { iova, bytes } }) => `${hex(bytes)} bytes at ${hex(iova)} of ${domain.name} are unmapped`,
    predict: () => ['ok'],
    call: ({ domain, mapping: { iova, bytes } }, world) =>
      same('bytes unmapped', world.bench.core.unmap(world.domain(domain), iova, bytes), bytes),
    settle: (aim) => { aim.domain.mappings = without(aim) },
  }),
}

const unmapFast: Kind = {
  name: 'unmapFast', weight: 3, draws: [ANY],
  make: (which) => command('unmapFast', {
    aim: (model) => pick(mappingsIn(model), which),
    says: ({ domain, mapping: { iova, bytes } }) => `${hex(bytes)} bytes at ${hex(iova)} of ${domain.name} are unmapped, without a sync`,
    predict: () => ['ok'],
    call: ({ domain, mapping: { iova, bytes } }, world) =>
      same('bytes unmapped', world.bench.core.unmapFast(world.domain(domain), iova, bytes, world.gather(domain)), bytes),
    settle(aim) {
      aim.domain.mappings = without(aim)
      aim.domain.owed = [...aim.domain.owed, { ...aim.mapping, by: 'gather' }]
    },
  }),
}

const syncs: Kind = {
  name: 'sync', weight: 3, draws: [ANY],
  make: (which) => command('sync', {
    aim: (model) => pick(tablesIn(model).filter(({ owed }) => owed.some(({ by }) => by === 'gather')), which),
    says: ({ name }) => `what was unmapped in ${name} is synced`,
    predict: () => ['ok'],
    call: sync,
  }),
}

const unmapHole: Kind = {
  name: 'unmapHole', weight: 1, draws: [ANY, PLACES.length],
  make: (which, place) => command('unmapHole', {
    aim: (model) => pick(tablesIn(model), which),
    says: ({ name }) => `a page at place ${place} of ${name} is unmapped, where nothing is`,
    predict: () => ['ok'],
    call(domain, world) {
      const iova = addressOf(world, place)
      const page = pageOf(world, domain)
      if (!overlaps(domain.mappings, iova, page)) same('bytes unmapped', world.bench.core.unmap(world.domain(domain), iova, page), 0n)
    },
  }),
}

const dma: Kind = {
  name: 'dma', weight: 16, draws: [],
  make: () => command('dma', {
    aim: ({ groups }) => (groups.size > 0 ? groups : undefined),
    says: () => 'every device reads every address',
    predict: () => ['ok'],
    call: (_groups, world, model) => world.warm(model),
  }),
}

export const domainKinds: readonly Kind[] = [probe, release, alloc, free, map, unmap, unmapFast, syncs, unmapHole, dma]
