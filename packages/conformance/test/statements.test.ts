// Statements: all that the contract was read as are here, or a line says why one is not; and each has a name for good.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { allStatements, groupOf, renderText, mergeReports } from '../src/index.js'

/** The rules that reading Linux 7.3.4 and the thread of May 2022 gave, before anything was built. Never renumbered. */
const RULES = [
  'C-ATTACH-01', 'C-ATTACH-02', 'C-ATTACH-03', 'C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-07', 'C-ATTACH-08', 'C-ATTACH-09',
  'C-ATTACH-10', 'C-ATTACH-11', 'C-ATTACH-12', 'C-ATTACH-13', 'C-ATTACH-14', 'C-ATTACH-15', 'C-ATTACH-16', 'C-ATTACH-17',
  'C-BLOCK-01', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04', 'C-BLOCK-05', 'C-BLOCK-06', 'C-BLOCK-07', 'C-BLOCK-08', 'C-BLOCK-09',
  'C-BLOCK-10', 'C-BLOCK-11',
  'C-IDENT-01', 'C-IDENT-02', 'C-IDENT-03', 'C-IDENT-04', 'C-IDENT-05', 'C-IDENT-06',
  'C-DETACH-01', 'C-DETACH-02', 'C-DETACH-03',
  'C-OWN-01', 'C-OWN-02', 'C-OWN-03', 'C-OWN-04', 'C-OWN-05', 'C-OWN-06',
  'C-GROUP-01', 'C-GROUP-02', 'C-GROUP-03', 'C-GROUP-04',
  'C-ROLL-01', 'C-ROLL-02', 'C-ROLL-03', 'C-ROLL-04', 'C-ROLL-05',
  'C-REL-01', 'C-REL-02', 'C-REL-03', 'C-REL-04', 'C-REL-05',
  'C-DEFER-01',
  'C-RESV-01', 'C-RESV-02', 'C-RESV-03',
  'C-RESET-01', 'C-RESET-02', 'C-RESET-03', 'C-RESET-04',
  'C-PASID-01', 'C-PASID-02', 'C-PASID-03', 'C-PASID-04', 'C-PASID-05', 'C-PASID-06', 'C-PASID-07', 'C-PASID-08', 'C-PASID-09',
  'C-PASID-10', 'C-PASID-11', 'C-PASID-12', 'C-PASID-13', 'C-PASID-14', 'C-PASID-15', 'C-PASID-16',
  'C-SVA-01', 'C-SVA-02',
  'C-FAULT-01',
  'C-MAP-01', 'C-MAP-02', 'C-MAP-03', 'C-MAP-04', 'C-MAP-05', 'C-MAP-06', 'C-MAP-07', 'C-MAP-08', 'C-MAP-09', 'C-MAP-10',
  'C-UNMAP-01', 'C-UNMAP-02', 'C-UNMAP-03', 'C-UNMAP-04', 'C-UNMAP-05', 'C-UNMAP-06',
  'C-TLB-01',
  'C-I2P-01',
  'C-DIRTY-01',
  'C-DRV-01', 'C-DRV-02', 'C-DRV-03', 'C-DRV-04', 'C-DRV-05',
  'C-OWN-07',
  'C-FREE-01',
]

const page = readFileSync(new URL('../../../docs/conformance-statements.md', import.meta.url), 'utf8')
const ids = allStatements.map(({ id }) => id)

test('110 rules were read', () => {
  expect(new Set(RULES).size).toBe(110)
})

test('each is a statement, or a line says why it cannot be one', () => {
  const absent = RULES.filter((each) => !ids.includes(each))
  const explained = [...page.matchAll(/^- \*\*(C-[A-Z0-9]+-\d+)\*\*: .{40,}/gm)].map(([, id]) => id)
  expect(explained).toEqual(absent)
})

test('each statement that was added is named with what it adds', () => {
  const added = [...page.matchAll(/^\| (C-[A-Z0-9]+-\d+) \| .{20,} \|$/gm)].map(([, id]) => id)
  expect(added.sort()).toEqual(ids.filter((each) => !RULES.includes(each)).sort())
})

test('names are unique, and every group has a subject in the report', () => {
  expect(new Set(ids).size).toBe(ids.length)
  const results = [...new Set(ids.map(groupOf))].map((group) => ({
    driver: 'd', backend: 'b', profile: 'strict', machine: 'model', statement: `C-${group}-01`, title: '', status: 'passed' as const,
  }))
  const lines = renderText({ ...mergeReports([]), results }).split('\n').filter((line) => line.includes('✓ '))
  for (const group of new Set(ids.map(groupOf))) expect(lines.find((line) => line.includes(` ${group} `)), group).toMatch(/✓ +1 {2}\S/)
})
