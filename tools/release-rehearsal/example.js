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

const CHECK = `import { isDeepStrictEqual, inspect } from 'node:util'
const same = (found: unknown, expected: unknown, line: string): void => {
  if (!isDeepStrictEqual(JSON.parse(plain(found)), JSON.parse(plain(expected)))) throw new Error(line + ': found ' + inspect(found))
}
const plain = (value: unknown): string => JSON.stringify({ value }, (_key, each: unknown) => (typeof each === 'bigint' ? each + 'n' : each))
`

/** The examples of a package's README. `source`: as it stands, for types; `program`: with its promises checked; `imports`: packages of ours. */
export const examplesOf = ({ folder }) => {
  const text = readFileSync(join(folder, 'README.md'), 'utf8')
  return [...text.matchAll(BLOCK)].map(([, source]) => ({
    source,
    program: `${CHECK}${source.split('\n').map(checked).join('\n')}`,
    imports: [...source.matchAll(/'(@iommu\/[\w-]+)/g)].map(([, name]) => name),
  }))
}
