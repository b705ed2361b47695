// The floors, held by the linter: what it refuses, and the sentence that says why.
import { ESLint } from 'eslint'
import { describe, expect, test } from 'vitest'

const eslint = new ESLint({ cwd: new URL('../../..', import.meta.url).pathname })

/** Messages about imports and globals for a file with this text. */
const complaints = async (filePath: string, text: string): Promise<string[]> => {
  const [result] = await eslint.lintText(`// A file.\n${text}\n`, { filePath })
  return (result?.messages ?? []).filter(({ ruleId }) => ruleId?.startsWith('no-restricted') === true).map(({ message }) => message)
}

describe('a package imports only from floors below', () => {
  test.each([
    ['packages/bits/src/x.ts', '@iommu/core', '@iommu/bits stands on floor 0'],
    ['packages/hardware/src/x.ts', '@iommu/page-table', '@iommu/hardware stands on floor 1'],
    ['packages/page-table/src/x.ts', '@iommu/driver-intel-vtd', '@iommu/page-table stands on floor 2'],
    ['packages/driver-intel-vtd/src/x.ts', '@iommu/conformance', '@iommu/driver-intel-vtd stands on floor 3'],
    ['packages/driver-intel-vtd/src/x.ts', '@iommu/driver-amd-vi/tables', '@iommu/driver-intel-vtd stands on floor 3'],
    ['packages/inspect/src/x.ts', '@iommu/conformance', '@iommu/inspect stands on floor 4'],
    ['packages/conformance/src/x.ts', '@iommu/driver-intel-vtd/model', 'The suite is handed a driver and imports none'],
  ])('%s must not import %s', async (file, from, why) => {
    expect((await complaints(file, `export * from '${from}'`)).join()).toContain(why)
  })
  test.each([
    ['packages/page-table/src/x.ts', '@iommu/bits'],
    ['packages/driver-intel-vtd/src/x.ts', '@iommu/page-table'],
    ['packages/cli/src/x.ts', '@iommu/conformance'],
    ['packages/cli/src/x.ts', 'node:fs'],
  ])('%s may import %s', async (file, from) => {
    expect(await complaints(file, `export * from '${from}'`)).toEqual([])
  })
})

test('only the command uses Node', async () => {
  expect((await complaints('packages/inspect/src/x.ts', 'export * from \'node:fs\'')).join()).toContain('Only cli and machine-qemu use Node')
  expect((await complaints('packages/core/src/x.ts', 'export const x = process.argv')).join()).toContain('Only cli and machine-qemu use Node')
})

test('inside a driver the model and the driver side do not know each other', async () => {
  const model = await complaints('packages/driver-intel-vtd/src/model/x.ts', 'import { planEntry } from \'../programming/plan.js\'\nexport const x = planEntry')
  expect(model.join()).toContain('The model reads tables and registers only')
  const driver = await complaints('packages/driver-intel-vtd/src/domains/x.ts', 'import { translate } from \'../model/index.js\'\nexport const x = translate')
  expect(driver.join()).toContain('The driver does not know what stands behind the machine')
})
