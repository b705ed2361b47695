// Every variant does something else than the core where its first statement looks, and every statement has one.
import { createCore } from '@iommu/core'
import { coreVariants } from '@iommu/core/variants'
import { describe, expect, test } from 'vitest'
import type { Create } from './bench.js'
import { bench } from './bench.js'
import type { Scene } from './variant-scenes.js'
import { a, scenes } from './variant-scenes.js'

const play = ({ script, devices = [a], options, act }: Scene, create: Create): readonly unknown[] => {
  const answers: unknown[] = []
  const made = bench(script, devices, options, create)
  act(made, (answer) => { answers.push(answer) })
  return [made.driver.calls, answers, made.warnings.length]
}

const belongTo = /^C-(ATTACH|BLOCK|IDENT|DETACH|OWN|GROUP|ROLL|REL|DEFER|RESV|RESET|PASID|SVA|MAP|UNMAP|FREE|DRV)-\d\d$/

describe('a variant', () => {
  test.each(coreVariants.map(({ id, create }) => ({ id, create })))('$id can be told from the core', ({ id, create }) => {
    const scene = scenes[id]
    expect(scene).toBeDefined()
    if (scene) expect(play(scene, create)).not.toEqual(play(scene, createCore))
  })

  test('has an id and a title of its own, and names statements', () => {
    expect(new Set(coreVariants.map(({ id }) => id)).size).toBe(coreVariants.length)
    expect(new Set(coreVariants.map(({ title }) => title)).size).toBe(coreVariants.length)
    expect(Object.keys(scenes).sort()).toEqual(coreVariants.map(({ id }) => id).sort())
    for (const { breaks } of coreVariants) {
      expect(breaks.length).toBeGreaterThan(0)
      expect(new Set(breaks).size).toBe(breaks.length)
      for (const statement of breaks) expect(statement).toMatch(belongTo)
    }
  })
})

test.each(
  [
    ['ATTACH', '01 02 03 13 14 15 16'], ['BLOCK', '07 09'], ['IDENT', '02 06'], ['DETACH', '01 02 03'],
    ['OWN', '01 02 03 04 05 06 07'], ['GROUP', '01 02 03 04'], ['ROLL', '01 02 04'], ['REL', '01 02 03'],
    ['DEFER', '01'], ['RESV', '01 02'], ['RESET', '01 02 03'], ['PASID', '01 02 05 07 08 09 10 14'],
    ['SVA', '01 02'], ['MAP', '01 02 10'], ['UNMAP', '05 06'],
  ].flatMap(([subject, numbers]) => (numbers ?? '').split(' ').map((number) => `C-${subject}-${number}`)),
)('%s, which the core has to keep, has a variant that must fail it', (statement) => {
  expect(coreVariants.some(({ breaks }) => breaks[0] === statement)).toBe(true)
})
