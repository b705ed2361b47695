// findings: every one is run again, and its page says what was seen. One that does not show any more fails here.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findInstallation, REFERENCE_SERIES } from '@iommu/machine-qemu'
import { driverNames, loadDriver } from '../src/driver-modules.js'
import { evidenceOf } from '../src/findings/finding.js'
import type { Finding } from '../src/findings/finding.js'
import { findings } from '../src/findings/index.js'
import { overviewOf, pageOf } from '../src/findings/page.js'
import { listedTargets } from '../src/findings/rerun-qemu.js'
import { rerun } from '../src/findings/rerun.js'
import { exceptions } from '../src/qemu/exceptions.js'
import { fits, iommu, json } from './command.js'
import { describeOnQemu } from './with-qemu.js'

const folder = new URL('../../../docs/findings/', import.meta.url)
const page = ({ id }: Pick<Finding, 'id'>): string => readFileSync(new URL(`${id}.md`, folder), 'utf8')
const of = (...kinds: readonly string[]): (readonly [string, Finding])[] =>
  findings.filter((each) => kinds.includes(evidenceOf(each))).map((each) => [each.id, each])

const SEEN = '## Reproduced'
const BEHIND = '## Why it matters'
/** What a page says whatever was seen. */
const frame = (text: string): string[] => [text.split(SEEN)[0] ?? '', text.slice(text.indexOf(BEHIND))]

describe('pages', () => {
  test('are there for every finding, and for nothing else', () => {
    expect(readdirSync(folder).sort()).toEqual([...findings.map(({ id }) => `${id}.md`), 'README.md'].sort())
    expect(new Set(findings.map(({ id }) => id)).size).toBe(findings.length)
    expect(page({ id: 'README' })).toBe(overviewOf(findings))
  })
  test.each(of('run', 'model', 'reading'))('%s says what the data says', (_id, finding) => {
    expect(frame(page(finding))).toEqual(frame(pageOf(finding, { reproduced: null, observed: [] })))
  })
  test.each(of('reading'))('%s shows no reproduction', (_id, finding) => {
    expect(page(finding)).not.toContain(SEEN)
  })
})

describe('run again', () => {
  test.each(of('model'))('%s', async (_id, finding) => {
    const result = await rerun(finding)
    expect(result.reproduced, result.observed.join('; ')).toBe(true)
    expect(result.film?.length).toBeGreaterThan(0)
    expect(page(finding)).toBe(pageOf(finding, result))
  })
})

describeOnQemu('findings of QEMU', () => {
  const isReference = findInstallation()?.series === REFERENCE_SERIES
  test.each(of('run'))('%s', async (_id, finding) => {
    const result = await rerun(finding)
    if (result.reproduced === null) {
      expect(result.why).toMatch(/^QEMU .* is not said to do this$|^there is no QEMU 7\.2 here/)
      return
    }
    expect(result.reproduced, result.observed.join('; ')).toBe(true)
    if (isReference) expect(page(finding)).toBe(pageOf(finding, result))
  })
})

describe('the list is whole', () => {
  test('every deviation of a profile has a finding', async () => {
    const known = new Set(findings.flatMap(({ proof }) => (proof.by === 'variant' ? [proof.variant] : [])))
    for (const name of driverNames) {
      const { variants } = await loadDriver(name)
      expect(variants.filter(({ id, profile }) => profile !== undefined && !known.has(id)).map(({ id }) => id)).toEqual([])
    }
  })
  test('every deviation of QEMU that is listed has a finding', () => {
    const known = new Set(findings.flatMap(({ proof }) =>
      (proof.by === 'agreement' ? proof.deviations : proof.by === 'suite' ? [proof.deviation] : [])))
    const listed = [...listedTargets.flatMap(({ deviations }) => deviations), ...exceptions.map(({ deviation }) => deviation)]
    expect([...new Set(listed)].filter((each) => !known.has(each))).toEqual([])
  })
})

test('a finding that does not show is not reproduced', async () => {
  const [first] = findings
  if (first === undefined || first.proof.by !== 'variant') throw new Error('the first finding is one by a variant')
  // The variant breaks another statement than this one.
  const { reproduced, observed } = await rerun({ ...first, statement: 'C-BLOCK-01' })
  expect({ reproduced, observed }).toEqual({ reproduced: false, observed: ['C-BLOCK-01 holds with the variant, and should not'] })
})

test('--json', async () => {
  const { schema, findings: found } = await json(['findings', 'sun50i-never-leaves', 's390-page-base'])
  expect(schema).toBe('iommu.findings/1')
  expect(found).toMatchObject([
    { id: 'sun50i-never-leaves', subject: 'Linux 5.18 to 7.3.4, sun50i-iommu', statement: 'C-ATTACH-05', reproduced: true, evidence: 'model' },
    { id: 's390-page-base', reproduced: null, why: 'it was read, and not run', evidence: 'reading' },
  ])
})

test('a finding by name is told in full, on 80 columns', async () => {
  const { code, stdout } = await iommu(['findings', 'smmu-block-over-pages'])
  expect(code).toBe(0)
  expect(stdout).toContain('C-MAP-03 fails')
  expect(fits(stdout)).toEqual([])
  expect(stdout.endsWith('\n1 reproduced, 0 not reproduced, 0 not run\n')).toBe(true)
})

test.each([
  [['findings', 'vtd-fpd-los'], 'there is no finding "vtd-fpd-los"; did you mean vtd-fpd-lost?'],
  [['findings', 'vtd-fpd-lost', '--pages', 'x'], '--pages writes all pages'],
])('%j is refused', async (args, sentence) => {
  expect(await iommu(args)).toEqual({ code: 2, stdout: '', stderr: `iommu findings: ${sentence}\n` })
})
