// Commands about PASIDs: set, moved, taken off.
import { same } from '../check.js'
import { ANY, FAILURES, failureOf, isInRange, PASIDS, pick, placesIn, targetsIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { AGAIN, aimAt } from './kinds-groups.js'
import type { Aimed } from './kinds-groups.js'
import { carries, fits, isRecovering } from './model.js'
import type { Model, ModelDomain } from './model.js'

/** What the driver must answer to a PASID; under a requester id that stills PASIDs there are none. */
export const predictPasid = (model: Model, { device, group, domain }: Aimed): string =>
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


export const pasidKinds: readonly Kind[] = [attachPasid, replacePasid, detachPasid]
