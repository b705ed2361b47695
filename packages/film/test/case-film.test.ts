// Films of cases: they show where a case goes another way with a fault in it, and how it goes without.
import { describe, expect, test } from 'vitest'
import { coreVariants } from '@iommu/core/variants'
import { allStatements, opsMutants } from '@iommu/conformance'
import type { Backend, Statement } from '@iommu/conformance'
import { backends } from '@iommu/driver-intel-vtd/backends'
import { filmCase, renderScenes } from '../src/index.js'
import type { CaseFilm, CaseSubject } from '../src/index.js'

const backend = backends[0] as Backend
const statementOf = (id: string): Statement => allStatements.find((each) => each.id === id) as Statement

const byDriver = (id: string): CaseSubject => {
  const mutant = opsMutants.find((each) => each.id === id)
  if (mutant === undefined) throw new Error(`there is no mutant ${id}`)
  return {
    backend: { ...backend, createDriver: (machines, setup) => mutant.alter(backend.createDriver(machines, setup), { machines, ...setup }) },
  }
}
const byCore = (id: string): CaseSubject => {
  const variant = coreVariants.find((each) => each.id === id)
  if (variant === undefined) throw new Error(`there is no variant ${id}`)
  return { backend, createCore: variant.create }
}
const filmOf = async (statement: string, subject: CaseSubject): Promise<CaseFilm> => {
  const film = await filmCase(statementOf(statement), subject, { backend })
  if (film === undefined) throw new Error(`${statement}: nothing was filmed`)
  return film
}

describe('the film of a case', () => {
  test('begins to differ where a process unmaps a page, and the driver does not flush', async () => {
    const { wrong, right, reason } = await filmOf('C-SVA-03', byDriver('sva-not-told'))
    const [one, other] = [wrong, right].map(({ acts, differs }) => acts[differs])
    expect(reason).toContain('expected blocked')
    expect([one?.kind, one?.text]).toEqual(['process', other?.text])
    expect(one?.frames.some(({ kind }) => kind === 'command')).toBe(false)
    expect(other?.frames.some(({ kind }) => kind === 'command')).toBe(true)
    expect(one?.frames.at(-1)?.dma[0]?.map(({ is }) => is)).toEqual(['old', 'new'])
    expect(other?.frames.at(-1)?.dma[0]?.map(({ is }) => is)).toEqual(['new'])
    // The store is known as the page table's entry, with what it changes.
    expect(one?.frames.flatMap(({ changed }) => changed.map(({ name }) => name))).toContain('P')
  })
  test('is the same up to there', async () => {
    const { wrong, right } = await filmOf('C-SVA-03', byDriver('sva-not-told'))
    expect(wrong.differs).toBeGreaterThan(0)
    expect(wrong.acts.slice(0, wrong.differs)).toEqual(right.acts.slice(0, right.differs))
    expect(wrong.before).toBe(right.before)
  })
  test('shows what the core layer leaves out', async () => {
    const { wrong, right } = await filmOf('C-ROLL-01', byCore('rollback-missing'))
    expect(wrong.acts[wrong.differs]).toBeUndefined()
    expect(right.acts[right.differs]?.text).toBe('paging 2.attachDev(00:04.0, paging 3)')
    expect(renderScenes(wrong).at(-1)).toBe('>   and nothing more')
  })
  test('shows what is made to fail', async () => {
    const { wrong } = await filmOf('C-BLOCK-01', byDriver('blocked-allocates'))
    const lines = renderScenes(wrong)
    const at = lines.indexOf('  hardware: table allocation 1 from now finds no memory')
    expect(at).toBeGreaterThan(0)
    expect(lines[at + 1]).toBe('    blocked.attachDev(00:04.0, blocked) -> refused: ENOMEM')
  })
  test('shows of a long call its beginning and its end', async () => {
    const { wrong } = await filmOf('C-UNMAP-04', byDriver('tables-freed-early'))
    const long = wrong.acts.find(({ frames }) => frames.length > 100)
    expect(long?.text).toContain('mapPages')
    const lines = renderScenes(wrong)
    expect(lines.filter((line) => /^ {5}\.\.\. \d+ lines more$/.test(line)).length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThan(400)
  })
  test('is not there where only a declaration is wrong, and where nothing is', async () => {
    expect(await filmCase(statementOf('C-DRV-02'), byDriver('declares-no-block'), { backend })).toBeUndefined()
    expect(await filmCase(statementOf('C-ATTACH-05'), { backend }, { backend })).toBeUndefined()
  })
})
