// Commands about the DMA API: buffers mapped and unmapped in default domains, flush queues, and attaches that wait for the first buffer.
import type { DmaApi } from '@iommu/core'
import { check, same } from '../check.js'
import { ANY, FAILURES, failureOf, frameOf, FRAMES, hex, pageOf, pick, placesIn } from './choices.js'
import type { Place } from './choices.js'
import { command } from './command.js'
import type { Kind } from './kinds.js'
import { learnFromRefusal } from './kinds-groups.js'
import { carries, livePasids, overlaps } from './model.js'
import type { Mapping, Model, ModelBuffer } from './model.js'
import type { World } from './world.js'

const apiOf = (world: World, { device }: Place): DmaApi => world.bench.core.dma(world.device(device))

/** Groups whose default domain can be one for the DMA API: translating, or identity. */
const usable = (model: Model): Place[] => placesIn(model).filter(({ group: { fallback } }) => fallback !== model.blocked)

/** Buffers lie anywhere in a page. */
const OFFSET = 0x123n

/** What the first attach of a device that waited must answer. */
const predictDeferred = (model: Model, { device, group }: Place): string =>
  (device.deferred && livePasids(group).length > 0 && !carries(model, device.group, group.fallback) ? 'EBUSY' : 'ok')

/** The end of the wait: of this device alone, whatever others of its group wait for. */
const waitedEnough = ({ device }: Place): void => { device.deferred = false }

const deferredAttach: Kind = {
  name: 'deferredAttach', weight: 2, draws: [ANY, FAILURES],
  make: (which, fails) => command('deferredAttach', {
    needs: 'deferred',
    aim: (model) => pick(usable(model), which),
    says: ({ device }) => `${device.name} waits for its attach no longer`,
    failure: failureOf(fails),
    predict: (place, model) => [predictDeferred(model, place)],
    call: ({ device }, world) => world.bench.core.deferredAttach(world.device(device)),
    settle: waitedEnough,
    refused: (place, model, world, _code, byHardware) => learnFromRefusal(model, world, place, byHardware),
  }),
}

const mapBuffer: Kind = {
  name: 'mapBuffer', weight: 6, draws: [ANY, FRAMES, 3, 3, FAILURES],
  make: (which, frame, pages, access, fails) => {
    const write = access > 0
    return command('mapBuffer', {
      aim: (model) => pick(usable(model), which),
      says: ({ device }) => `a buffer of ${pages + 1} pages in frame ${frame} is mapped for ${device.name}${write ? '' : ', read-only'}`,
      failure: failureOf(fails),
      predict(place, model) {
        const first = predictDeferred(model, place)
        return [first, ...(first === 'ok' && !write && place.group.fallback !== model.identity ? ['EINVAL'] : [])]
      },
      call(place, world, model) {
        const { fallback } = place.group
        const page = fallback === model.identity ? 0x1000n : pageOf(world, fallback)
        const bytes = page * BigInt(pages + 1) - OFFSET
        const physical = frameOf(world, 1, frame) + OFFSET
        const iova = apiOf(world, place).map(physical, bytes, { read: true, write })
        return { iova, bytes, physical, page }
      },
      settle(place, model, world, { iova, bytes, physical, page }) {
        const { device, group } = place
        waitedEnough(place)
        if (group.fallback === model.identity) {
          same('the address of a buffer on identity', iova, physical)
          group.buffers = [...group.buffers, { device, iova, bytes, mapping: undefined }]
          return
        }
        const mapping: Mapping = { iova: iova - OFFSET, bytes: bytes + OFFSET, physical: physical - OFFSET, write }
        same('the offset of a buffer in its page', iova & (page - 1n), OFFSET)
        const { mappings, owed } = group.fallback
        check(!overlaps([...mappings, ...owed], mapping.iova, mapping.bytes), `a buffer gets ${hex(iova)}, which is in use, or may be remembered`)
        const reserved = world.bench.core.reservedRegions(world.device(device)).filter(({ kind }) => kind !== 'software-msi')
        check(!reserved.some(({ start, length }) => start < mapping.iova + mapping.bytes && mapping.iova < start + length),
          `a buffer gets ${hex(iova)}, which is reserved`)
        group.fallback.mappings = [...mappings, mapping]
        group.buffers = [...group.buffers, { device, iova, bytes, mapping }]
        model.addresses.add(mapping.iova)
      },
      refused: (place, model, world, _code, byHardware) => learnFromRefusal(model, world, place, byHardware),
    })
  },
}

const buffersIn = (model: Model): (Place & { readonly buffer: ModelBuffer })[] =>
  usable(model).flatMap((place) => place.group.buffers.filter(({ device }) => device === place.device).map((buffer) => ({ ...place, buffer })))

const unmapBuffer: Kind = {
  name: 'unmapBuffer', weight: 6, draws: [ANY],
  make: (which) => command('unmapBuffer', {
    aim: (model) => pick(buffersIn(model), which),
    says: ({ device, buffer: { iova, bytes } }) => `the buffer of ${hex(bytes)} bytes at ${hex(iova)} of ${device.name} is unmapped`,
    predict: () => ['ok'],
    call: (aim, world) => apiOf(world, aim).unmap(aim.buffer.iova, aim.buffer.bytes),
    settle({ group, buffer }) {
      const { fallback, type } = group
      const { mapping } = buffer
      group.buffers = group.buffers.filter((each) => each !== buffer)
      if (mapping === undefined) return
      fallback.mappings = fallback.mappings.filter((each) => each !== mapping)
      if (type === 'dma-fq') fallback.owed = [...fallback.owed, { ...mapping, by: 'queue' }]
    },
  }),
}

const flush: Kind = {
  name: 'flush', weight: 2, draws: [ANY],
  make: (which) => command('flush', {
    needs: 'flush-queue',
    aim: (model) => pick(usable(model), which),
    says: ({ device }) => `the flush queue of ${device.name} is flushed`,
    predict: () => ['ok'],
    call(place, world) {
      const api = apiOf(world, place)
      same('ranges that wait', api.queued, place.group.fallback.owed.filter(({ by }) => by === 'queue').length)
      api.flush()
    },
    settle({ group: { fallback } }) { fallback.owed = fallback.owed.filter(({ by }) => by !== 'queue') },
  }),
}

export const bufferKinds: readonly Kind[] = [deferredAttach, mapBuffer, unmapBuffer, flush]
