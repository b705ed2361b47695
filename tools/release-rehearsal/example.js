// A README's example as a program: what stands after `// =>` is what the line before it must give.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK = /^```ts\n([\s\S]*?)^```$/gm
const PROMISE = /^(\s*)(?:const\s+(\w+)\s*=\s*)?(.+?)\s+\/\/ => (.+)$/

/** A line that promises a value, as one that checks it. */
const checked = (line) => {
  const [, indent, name, expression, value] = PROMISE.exec(line) ?? []
  if (expression === undefined) return line
  const held = name === undefined ? `(${expression})` : `(${name})`
  const before = name === undefined ? '' : `${indent}const ${name} = ${expression}\n`
  return `${before}${indent}same(${held}, (${value}), ${JSON.stringify(line.trim())})`
}

/** Needs nothing of Node, so that a page can promise the same. */
const CHECK = `const same = (found: unknown, expected: unknown, line: string): void => {
  if (plain(found) !== plain(expected)) throw new Error(line + ': found ' + plain(found))
}
const plain = (value: unknown): string => JSON.stringify({ value }, (_key, each: unknown) =>
  typeof each === 'bigint' ? each + 'n' : each === null || typeof each !== 'object' || Array.isArray(each) ? each
    : Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))))
`

/** An example: as it stands, for types; with its promises checked; packages of ours that it imports; whether it needs Node. */
export const exampleOf = (source) => ({
  source,
  program: `${CHECK}${source.split('\n').map(checked).join('\n')}`,
  imports: [...source.matchAll(/'(@iommu\/[\w-]+)/g)].map(([, name]) => name),
  onNode: /'(?:node:|@iommu\/machine-qemu)/.test(source),
})

/** The examples of a package's README: its ts blocks that are not marked "not run". */
export const examplesOf = ({ folder }) =>
  [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(BLOCK)].map(([, source]) => exampleOf(source))
