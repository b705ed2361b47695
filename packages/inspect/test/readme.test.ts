// The README's programs, run from the sources: what stands after `// =>` is what its line gives.
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { exampleOf } from '../../../tools/release-rehearsal/example.js'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const programs = [...readFileSync(at('../README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, source = '']) => exampleOf(source).program)

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'iommu-inspect-')))
symlinkSync(at('../../../node_modules'), join(folder, 'node_modules'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const load = async (name: string, program: string): Promise<unknown> => {
  const file = join(folder, name)
  writeFileSync(file, program)
  return import(pathToFileURL(file).href)
}

test('there are programs', () => expect(programs.length).toBeGreaterThanOrEqual(2))

test.each(programs.map((program, index) => [index + 1, program] as const))('program %i keeps its promises', async (index, program) => {
  await load(`example-${index}.ts`, program)
})

test('a promise can be broken', async () => {
  await expect(load('broken.ts', exampleOf('1 + 1 // => 3\n').program)).rejects.toThrow('1 + 1 // => 3: found {"value":2}')
})
