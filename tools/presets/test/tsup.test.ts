// How libraries are built: what a module's constants take is marked as pure, and nothing else is.
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { marked } from '../tsup.js'

/** What is left of a module of which a page imports one name. */
const leftOf = async (text: string, name: string): Promise<string> => {
  const { outputFiles: [output] } = await build({
    stdin: { contents: `import { ${name} } from 'module'\nconsole.log(${name})`, loader: 'ts' },
    bundle: true, write: false, format: 'esm', minifySyntax: true,
    plugins: [{
      name: 'module',
      setup(hooks) {
        hooks.onResolve({ filter: /^module$/ }, () => ({ path: 'module', namespace: 'module' }))
        hooks.onLoad({ filter: /.*/, namespace: 'module' }, () => ({ contents: text, loader: 'ts' }))
      },
    }],
  })
  return output?.text ?? ''
}

const MODULE = `
import { entry, shapes } from 'elsewhere'
const zeros = new Int32Array(0x40000)
const unused = entry('unused', { ...shapes.word, bits: [zeros.length] })
const { taken } = shapes.word
export const names = { [shapes.key]: 'computed' }
export const wanted = entry('wanted', { size: zeros.length })
export class Kept { table = entry('in an instance') }
entry('said aloud')
`

test('a page that wants one constant of a module gets what it is made of', async () => {
  const left = await leftOf(marked(MODULE).replace(/^import .*$/m, 'const shapes = globalThis.shapes, entry = globalThis.entry'), 'wanted')
  expect(left).toContain('"wanted"')
  expect(left).toContain('Int32Array')
  expect(left).not.toContain('"unused"')
  expect(left).not.toContain('computed')
  // A statement of its own is there for what it does.
  expect(left).toContain('"said aloud"')
})

test('without the marks it would get everything', async () => {
  const left = await leftOf(MODULE.replace(/^import .*$/m, 'const shapes = globalThis.shapes, entry = globalThis.entry'), 'wanted')
  expect(left).toContain('"unused"')
  expect(left).toContain('computed')
})

test('functions, classes, literals and what is awaited stand as they are', () => {
  const text = 'export const f = () => g()\nconst size = 1 << 12\nconst list = [1, 2] as const\nclass A { b = f() }\nconst late = await f()\nf()\n'
  expect(marked(text)).toBe(text)
})
