// Films of all drivers: what they show must be what the adversary judged, and stores must chain to what memory holds.
import { describe, expect, test } from 'vitest'
import type { Backend } from '@iommu/conformance'
import { backends as amd } from '@iommu/driver-amd-vi/backends'
import { backends as smmu } from '@iommu/driver-arm-smmuv3/backends'
import { backends as vtd } from '@iommu/driver-intel-vtd/backends'
import { variants } from '@iommu/driver-intel-vtd/variants'
import { backends as legacy } from '@iommu/driver-legacy-nodefault/backends'
import { backends as riscv } from '@iommu/driver-riscv/backends'
import { createStage, play, renderFilm } from '../src/index.js'
import type { Film, FilmPoint } from '../src/index.js'

const first = ([backend]: readonly Backend[]): Backend => backend as Backend
const drivers = [vtd, amd, smmu, riscv, legacy].map(first)

const whatIs = ({ frames }: Film, index: number): Set<string> => new Set(frames.at(index)?.dma.flat().map(({ is }) => is))

/** Every entry that is stored to twice goes on from where it was. */
const expectChained = ({ frames }: Film): void => {
  const last = new Map<string, readonly string[]>()
  for (const { store } of frames) {
    if (store?.entry === undefined) continue
    const { address, before, after } = store.entry
    if (last.has(address)) expect(before).toEqual(last.get(address))
    last.set(address, after)
  }
}

describe('a film', () => {
  test.each(drivers.map((backend) => [backend.name, backend] as const))('%s: every pair of states holds, from old to new', async (_name, backend) => {
    const stage = createStage(backend)
    const [point] = stage.scene.points
    const states = stage.scene.statesOf(point as NonNullable<typeof point>)
    let films = 0
    for (const from of states) {
      for (const to of states) {
        await stage.set(point as NonNullable<typeof point>, from)
        const film = await stage.set(point as NonNullable<typeof point>, to)
        expect(film.findings, `${from} to ${to}`).toEqual([])
        expect(film.refused).toBeUndefined()
        if (backend.createAdversary !== undefined) expect([...whatIs(film, 0)].filter((is) => is !== 'old' && is !== 'both')).toEqual([])
        expect([...whatIs(film, -1)].filter((is) => is !== 'new' && is !== 'both')).toEqual([])
        expectChained(film)
        films++
      }
    }
    expect(films).toBe(states.length ** 2)
  })

  test('without adversarial mode begins with caches that know the state before', async () => {
    const { createAdversary: _none, ...plain } = first(vtd)
    const broken = variants.find(({ id }) => id === 'no-entry-cache-flush') as (typeof variants)[number]
    const film = await play(plain, { from: 'second-stage-4', to: 'blocked', createDriver: broken.createDriver })
    expect([...whatIs(film, -1)]).toContain('old')
  })

  test('of a broken driver is not held, and shows what DMA met', async () => {
    const variant = variants.find(({ id }) => id === 'present-first')
    const film = await play(first(vtd), {
      from: 'blocked', to: 'second-stage-4', ...(variant === undefined ? {} : { createDriver: variant.createDriver }),
    })
    expect(film.held).toBe(false)
    expect(film.findings[0]?.sentence).toBe('during')
    expect(film.frames.flatMap(({ dma }) => dma.flat()).some(({ is }) => is === 'neither')).toBe(true)
    expect(renderFilm(film).join('\n')).toContain('NEITHER')
  })

  test('shows the entry that a store belongs to, its fields, and no hand-over of commands', async () => {
    const { frames } = await play(first(smmu), { from: 'identity', to: 'paging' })
    expect(new Set(frames.map(({ kind }) => kind))).toEqual(new Set(['start', 'store', 'order', 'command', 'end']))
    expect(frames.filter(({ kind, store }) => kind === 'store' && store?.entry === undefined)).toEqual([])
    const critical = frames.find(({ changed }) => changed.some(({ name }) => name === 'Config'))
    expect(critical?.changed[0]).toEqual({ name: 'Config', before: '0x4', after: '0x5', meaning: ['bypass', 'stage 1'] })
  })

  test('a refusal leaves everything as it was', async () => {
    const stage = createStage(first(amd), { pasids: [5] })
    const [rid, pasid] = stage.scene.points as [FilmPoint, FilmPoint]
    await stage.set(rid, 'v2-4')
    await stage.set(pasid, 'v2-4')
    const film = await stage.set(rid, 'v1')
    expect(film.refused?.code).toBe('EBUSY')
    expect(film.frames.filter(({ kind }) => kind === 'store')).toEqual([])
    expect(stage.on(rid)).toBe('v2-4')
  })

  test('says so where a point that nobody set has changed', async () => {
    const [backend] = vtd
    const stage = createStage(backend as Backend, { pasids: [5] })
    const [rid, pasid] = stage.scene.points as [FilmPoint, FilmPoint]
    await stage.set(rid, 'second-stage-4')
    await stage.set(pasid, 'first-stage-4')
    const quiet = await stage.set(rid, 'identity')
    expect(renderFilm(quiet).at(-1)).toMatch(/^held at every step/)
    // What a driver does that takes PASIDs with the requester id.
    const probes = quiet.probes.map((probe) => (probe.pasid === 5 ? { ...probe, after: { result: 'blocked' } as const } : probe))
    expect(renderFilm({ ...quiet, probes }).at(-1)).toBe('but nobody set 00:04.0 PASID 5, and it has changed: read of 0x100000, 0x880000 -> blocked')
  })

  test('of what there is not is an error that lists what there is', async () => {
    await expect(play(first(legacy), { from: 'blocked', to: 'paging', pasid: 1 })).rejects.toThrow('has no PASIDs')
    await expect(play(first(vtd), { from: 'blocked', to: 'v1' })).rejects.toThrow('there is no state "v1" here; there are blocked, identity,')
  })
})
