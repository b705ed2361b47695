// Commands about PASIDs: set, moved, taken off.
import { check, same } from '../check.js'
import { ANY, FAILURES, failureOf, isInRange, PASIDS, pick, placesIn, targetsIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { AGAIN, aimAt, faceOf, learnCrossing } from './kinds-groups.js'
import type { Aimed } from './kinds-groups.js'
import { carries, carriesNow, fits, isRecovering, membersOf } from './model.js'
import type { Model, ModelDomain } from './model.js'

/** What the driver must answer to a PASID; under a requester id that stills PASIDs there are none. */
export const predictPasid = (model: Model, { device, group, domain }: Aimed): readonly string[] => {
  if (domain === model.blocked) return ['ok']
  const does = fits(model, domain, 'pasid', device.unit)
  const asks = membersOf(model, device.group).some(({ hasPasids }) => hasPasids)
  // A group without PASIDs has nobody who could refuse.
  if (does === false && asks) return ['EINVAL']
  const shaky = group.shaken && !carries(model, device.group, model.blocked)
  return [
    ...(carriesNow(model, device.group) ? ['ok'] : []),
    ...(!carriesNow(model, device.group) || shaky || (does === undefined && asks) ? ['EINVAL'] : []),
  ]
}

const refusedPasid = (aim: Aimed, model: Model, code: string): void => {
  const refuses = code === 'EINVAL' && carriesNow(model, aim.device.group) && !aim.group.shaken
  if (refuses && fits(model, aim.domain, 'pasid', aim.device.unit) === undefined) learnCrossing(model, aim, false)
}

/** Whether hardware was asked: of a group without PASIDs it is not. */
const acceptedPasid = (model: Model, aim: Aimed): void => {
  if (membersOf(model, aim.device.group).some(({ hasPasids }) => hasPasids)) learnCrossing(model, aim, true)
}

const attachPasid: Kind = {
  name: 'attachPasid', weight: 10, draws: [ANY, PASIDS.length, ANY, 3, FAILURES],
  make: (which, number, target, handle, fails) => {
    const pasid = PASIDS[number] ?? 0
    return command('attachPasid', {
      aim: (model) => aimAt(model, which, target),
      says: ({ device, domain }) => `PASID ${pasid} of ${device.name} is attached to ${domain.name}${handle === 0 ? ', with a handle' : ''}`,
      failure: failureOf(fails),
      infallible: ({ domain }) => domain.kind === 'blocked',
      predict(aim, model) {
        const { device, group, domain } = aim
        if (!model.manifest.blocked.pasid) return ['EOPNOTSUPP']
        // Two reasons may be told in either order.
        if (fits(model, domain, 'pasid', domain.unit) === false) return ['EOPNOTSUPP', 'EINVAL', 'EBUSY']
        if (isRecovering(model, device.group)) return ['EBUSY']
        if (!isInRange(model, device, pasid)) return ['EINVAL']
        return group.pasids.has(pasid) ? ['EBUSY'] : predictPasid(model, aim)
      },
      call: ({ device, domain }, world) =>
        world.bench.core.attachPasid(world.domain(domain), world.device(device), pasid, ...(handle === 0 ? [{}] : [])),
      settle(aim, model) {
        acceptedPasid(model, aim)
        aim.group.pasids.set(pasid, aim.domain)
        if (handle === 0) aim.group.handles.add(pasid)
        if (pasid < model.manifest.maxPasids) model.pasids.add(pasid)
      },
      refused(aim, model, _world, code) {
        if (isInRange(model, aim.device, pasid)) refusedPasid(aim, model, code)
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
      if (place === undefined || domain === undefined || fits(model, domain, 'pasid', domain.unit) === false) return undefined
      // Under a requester id that stills PASIDs nothing is said about replacing them.
      return carriesNow(model, place.device.group) && !place.group.shaken ? { ...place, domain } : undefined
    },
    says: ({ device, pasid, domain }) => `PASID ${pasid} of ${device.name} is moved to ${domain.name}`,
    failure: failureOf(fails),
    infallible: ({ domain }) => domain.kind === 'blocked',
    predict: (aim, model) => (isRecovering(model, aim.device.group) ? ['EBUSY'] : aim.domain === aim.held ? ['ok'] : predictPasid(model, aim)),
    call({ device, pasid, domain, held }, world) {
      const { core, trace } = world.bench
      const before = trace.calls.length
      core.replacePasid(world.domain(domain), world.device(device), pasid, {})
      if (domain === held) same(AGAIN, trace.calls.length - before, 0)
    },
    settle(aim, model) {
      acceptedPasid(model, aim)
      aim.group.pasids.set(aim.pasid, aim.domain)
      aim.group.handles.add(aim.pasid)
    },
    refused: (aim, model, _world, code) => refusedPasid(aim, model, code),
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
    settle({ group, pasid }) {
      group.pasids.delete(pasid)
      group.handles.delete(pasid)
    },
  }),
}

const findHandle: Kind = {
  name: 'findHandle', weight: 1, draws: [ANY, PASIDS.length + 1],
  make: (which, number) => {
    const pasid = PASIDS[number] ?? 0
    return command('findHandle', {
      aim: (model) => pick(placesIn(model), which),
      says: ({ device }) => `the handle of ${pasid === 0 ? '' : `PASID ${pasid} of `}${device.name} is looked for`,
      predict: ({ group }) => [group.handles.has(pasid) ? 'ok' : 'ENOENT'],
      call(place, world) {
        const { domain } = world.bench.core.attachHandle(faceOf(world, place), pasid)
        check(domain === world.domain(place.group.pasids.get(pasid) ?? place.group.domain), 'the handle names another domain')
      },
    })
  },
}

export const pasidKinds: readonly Kind[] = [attachPasid, replacePasid, detachPasid, findHandle]
