// Commands about processes: bound to devices, and mapping pages of their own.
import type { SvaBond } from '@iommu/core'
import { addressOf, ANY, FAILURES, failureOf, frameOf, FRAMES, hex, pick, placesIn, PLACES } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { learnCrossing } from './kinds-groups.js'
import { predictPasid } from './kinds-pasids.js'
import { carriesNow, fits, isRecovering } from './model.js'
import type { Mapping, Model, ModelSpace } from './model.js'

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
      const predicted = isRecovering(model, aim.device.group) ? ['EBUSY'] : predictPasid(model, { ...aim, domain: aim.space.domain })
      // A unit that cannot walk the process's tables makes no domain for it.
      return fits(model, aim.space.domain, 'pasid', aim.device.unit) === true ? predicted : [...predicted, 'EOPNOTSUPP']
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
      group.handles.add(bond.pasid)
      learnCrossing(model, { device, group, domain: space.domain }, true)
      const real = world.bench.core.group(world.device(device)).pasids.get(bond.pasid)
      if (real !== undefined) world.name(space.domain, real)
    },
    refused(aim, model, _world, code) {
      const domain = aim.space.domain
      const refuses = code === 'EOPNOTSUPP' || (code === 'EINVAL' && carriesNow(model, aim.device.group) && !aim.group.shaken)
      if (refuses && fits(model, domain, 'pasid', aim.device.unit) === undefined) learnCrossing(model, { ...aim, domain }, false)
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
      if (users(aim) > 0 || bond === undefined) return
      aim.group.pasids.delete(bond.pasid)
      aim.group.handles.delete(bond.pasid)
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


export const processKinds: readonly Kind[] = [bind, unbind, processMaps, processUnmaps]
