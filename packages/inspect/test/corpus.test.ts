// The corpus: lines and entries as people have them, each with what it says. The expectations were not made by this project's code.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decodeEntry, explainLog, findEntry, listEntries, readWords } from '../src/index.js'
import type { Explained } from '../src/index.js'

/** `known`: whether there is a meaning. Members that are not there are not said. */
type Expected = Partial<Pick<Explained, 'kind' | 'vendor' | 'device' | 'pasid' | 'address' | 'access' | 'code' | 'index' | 'domainId' | 'name' | 'count'>>
  & { readonly known?: boolean }

interface LineCase {
  readonly id: string
  readonly from: string
  readonly text: string
  readonly items: readonly Expected[]
  readonly otherLines?: number
}
interface EntryCase {
  readonly id: string
  readonly from: string
  /** The name of the entry, and what else is said on the command line. */
  readonly entry: string
  readonly words: string
  readonly fields: Readonly<Record<string, string>>
}

const cases = JSON.parse(readFileSync(new URL('fixtures/corpus.json', import.meta.url), 'utf8')) as readonly (LineCase | EntryCase)[]
const lines = cases.filter((each): each is LineCase => 'text' in each)
const entries = cases.filter((each): each is EntryCase => 'entry' in each)

await listEntries()

/** Members that a reading has only where the line gives them: one too many is as wrong as one too few. */
const SAID = ['device', 'pasid', 'address', 'access', 'code', 'index'] as const

test('there are at least 200, and each has an id of its own', () => {
  expect(cases.length).toBeGreaterThanOrEqual(200)
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
})

test.each(lines.map((each) => [`${each.id} ${each.from}`, each] as const))('%s', async (_name, { text, items: expected, otherLines }) => {
  const { items, otherLines: others } = await explainLog(text)
  expect(items.map(({ kind, vendor }) => [kind, vendor])).toEqual(expected.map(({ kind, vendor }) => [kind, vendor]))
  for (const [index, { known, ...members }] of expected.entries()) {
    const item = items[index] as Explained
    expect(item).toMatchObject({ count: 1, ...members })
    expect(SAID.filter((name) => item[name] !== undefined)).toEqual(SAID.filter((name) => members[name] !== undefined))
    if (known !== undefined) expect(item.meaning !== undefined).toBe(known)
  }
  if (otherLines !== undefined) expect(others).toBe(otherLines)
})

test.each(entries.map((each) => [`${each.id} ${each.from}`, each] as const))('%s', async (_name, { entry, words, fields }) => {
  const [name, option] = entry.split(' ')
  const owner = await findEntry(name as string)
  const decoded = decodeEntry(owner, readWords(owner, [words], option === '--high-first').words)
  expect(Object.fromEntries(decoded.fields.map((each) => [each.name, each.value]))).toMatchObject(fields)
  expect(decoded.reserved).toEqual([])
})
