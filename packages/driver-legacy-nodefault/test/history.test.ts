// The bodies of 2022: verdicts against what is known of them, bits, hazards, and today's static domains.
import { describe, expect, test } from 'vitest'
import { bitsOf, classify, subjects, sun50iReleased, withBypass } from '../src/history/index.js'
import type { Step } from '../src/programming/steps.js'
import { bodyOf, effectOf, runSteps } from '../src/history/experiment.js'
import type { Effect, Stage, Subject } from '../src/history/subject.js'

/** Effect, whether the guess held, and today's blocked and identity domains as found. */
const known: Readonly<Record<string, readonly [Effect, boolean | null, Effect | undefined, Effect | undefined]>> = {
  'apple-dart': ['blocked', true, 'blocked', 'identity'],
  exynos: ['identity', true, undefined, 'identity'],
  'ipmmu-vmsa': ['identity', true, undefined, 'identity'],
  mtk: ['identity', true, undefined, 'identity'],
  rockchip: ['identity', null, undefined, 'identity'],
  sprd: ['identity', null, undefined, undefined],
  sun50i: ['none', true, undefined, 'none'],
  amd: ['blocked', null, 'blocked', 'identity'],
  qcom_iommu: ['identity', null, undefined, 'identity'],
  intel: ['blocked', true, 'blocked', 'identity'],
  fsl_pamu: ['blocked', false, undefined, undefined],
  msm: ['identity', true, undefined, 'identity'],
  mtk_v1: ['none', false, undefined, 'none'],
  omap: ['identity', true, undefined, 'identity'],
  s390: ['platform', true, 'blocked', 'identity'],
  'tegra-gart': ['none', false, undefined, undefined],
  'tegra-smmu': ['identity', null, undefined, 'identity'],
  'arm-smmu': ['blocked', null, 'blocked', 'identity'],
  'arm-smmu-v3': ['blocked', null, 'blocked', 'identity'],
  virtio: ['none', null, undefined, 'identity'],
}

const named = (driver: string): Subject => subjects.find((subject) => subject.driver === driver) as Subject

describe('verdicts', () => {
  test('the drivers are those of the thread, ten and seven, and three more', () => {
    expect(subjects.map(({ driver }) => driver)).toEqual(Object.keys(known))
    expect(['with default domains', 'without default domains', 'not in the thread'].map((list) => subjects.filter((each) => each.list === list).length)).toEqual([10, 7, 3])
  })
  test.each(subjects.map((subject) => [subject.driver, subject] as const))('%s', (driver, subject) => {
    const { effect, guessHeld, linux73, hazards } = classify(subject)
    expect([effect, guessHeld, linux73.blocked, linux73.identity]).toEqual(known[driver])
    for (const { title, shown, cured } of hazards) expect([title, shown, cured]).toEqual([title, true, true])
  })
  test('at least six places, one of them mapped, and all of them different', () => {
    for (const subject of subjects) {
      const { places, machine, source, physical } = subject.build()
      expect(new Set(places.map(({ address }) => address)).size).toBe(places.length)
      expect(places.length).toBeGreaterThanOrEqual(6)
      const { outcome } = machine.walk({ source, kind: 'untranslated', address: places[0]?.address ?? 0n, access: 'write' })
      expect([subject.driver, outcome.result === 'translated' && outcome.address]).toEqual([subject.driver, physical])
    }
  })
  test('what the module parameter of the Arm drivers decides, and what sun50i would do at a count of 0', () => {
    expect([...withBypass, sun50iReleased].map((subject) => effectOf(subject, bodyOf))).toEqual(['identity', 'identity', 'identity'])
  })
})

/** Bits that decide alone, as "where:bit (field) otherwise". */
const decisive = (driver: string): string[] =>
  bitsOf(named(driver)).decisive.map(({ where, bit, field, otherwise }) => `${where}:${bit}${field === undefined ? '' : ` ${field}`} ${otherwise}`)

describe('every bit that a body writes, written the other way', () => {
  test.each([
    ['apple-dart', ['TCR(0):7 TRANSLATE_ENABLE none']],
    ['exynos', ['MMU_CTRL:0 ENABLE none']],
    ['ipmmu-vmsa', ['IMUCTR(0):0 MMUEN none']],
    ['mtk', ['NONSEC_CON(0):0 none']],
    ['sprd', ['EX_CFG:0 EN mixed']],
    ['amd', ['amd.dte:0 V identity', 'amd.dte:61 IR mixed', 'amd.dte:62 IW mixed']],
    ['qcom_iommu', ['SCTLR:0 none']],
    ['intel', ['vtd.context:0 P none']],
    ['fsl_pamu', ['pamu.paace:0 V identity']],
    ['omap', ['MMU_CNTL:1 MMU_EN blocked']],
    ['msm', ['SCTLR.0:0 M blocked']],
    ['arm-smmu', ['S2CR(0):17 TYPE none']],
    ['arm-smmu-v3', ['STE.word0:3 CONFIG identity']],
  ])('%s', (driver, expected) => expect(decisive(driver)).toEqual(expected))

  test('rockchip: its commands are codes; every other one is another command or none', () => {
    const { decisive: found, written } = bitsOf(named('rockchip'))
    expect(written).toBe(160)
    expect(new Set(found.map(({ where }) => where))).toEqual(new Set(['COMMAND']))
    expect(found.length).toBe(64)
  })
  test('tegra-smmu: group and clients are two switches in a row, and either is enough', () => {
    expect(decisive('tegra-smmu')).toEqual([])
    const both = effectOf(named('tegra-smmu'), ({ detach }) => detach.map((step) => (step.do === 'write' ? { ...step, value: step.mask ?? 0n } : step)))
    expect(both).toBe('none')
  })
  test('bodies without a write have no bits', () => {
    for (const driver of ['sun50i', 'mtk_v1', 's390', 'tegra-gart', 'virtio']) expect([driver, bitsOf(named(driver)).written]).toEqual([driver, 0])
  })
})

describe('caches', () => {
  test('without its flushes Intel\'s body is no block once the device has been busy', () => {
    const withoutFlushes = ({ detach }: Stage): Step[] => detach.filter((step) => step.do !== 'call')
    expect(runSteps(named('intel'), withoutFlushes, true).effect).toBe('none')
    expect(effectOf(named('intel'), bodyOf)).toBe('blocked')
  })
  test('s390: the deregistration alone is a block, and the table that follows is the platform\'s', () => {
    const { seen } = runSteps(named('s390'), ({ detach }) => detach.slice(0, 1), true)
    expect(seen.oldPageReached).toBe(false)
    expect(effectOf(named('s390'), ({ detach }) => detach.slice(0, 1))).toBe('blocked')
  })
})
