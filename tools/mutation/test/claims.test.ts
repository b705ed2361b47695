// What tables say besides places: who outside confirms each field and each code, other names, and which values have a
// meaning. Held as files, one for each driver, so that nobody claims more, or less, unseen (`vitest run -u` writes them).
import { readdirSync } from 'node:fs'
import { confirmation } from '../../../packages/bits/src/index.js'
import type { Entry } from '../../../packages/bits/src/index.js'
import { expect, test } from 'vitest'
import { drivers } from '../rooms.js'

const isEntry = (each: unknown): each is Entry => typeof each === 'object' && each !== null && 'fields' in each && 'bits' in each
const by = (who: readonly string[]): string => (who.length === 0 ? 'nobody' : [...who].sort().join(' '))

/** A line for each field: who confirms it, its other names in brackets, the values that mean something in braces. */
const layoutLines = (layout: Entry): string[] => Object.entries(layout.fields).map(([name, { alias = [], meanings }]) => [
  layout.name, name, by(confirmation(layout, name)),
  ...(alias.length > 0 ? [`[${alias.join(', ')}]`] : []), ...(meanings === undefined ? [] : [`{${Object.keys(meanings).join(' ')}}`]),
].join(' '))

/** A line for each code that has a meaning: everything that is said of it but in words. */
const codeLines = (what: string, codes: ReadonlyMap<number, object>): string[] => [...codes].map(([code, said]) => {
  const rest = Object.entries(said).filter(([key]) => !['code', 'meaning', 'layout', 'confirmedBy', 'fields'].includes(key)).map(([key, value]) => `${key} ${String(value)}`)
  return [what, `0x${code.toString(16)}`, ...('confirmedBy' in said ? [by(said.confirmedBy as string[])] : []), ...rest].join(' ')
})

const linesOf = (name: string, each: unknown): string[] =>
  (isEntry(each) ? layoutLines(each) : each instanceof Map ? codeLines(name, each as Map<number, object>) : [])

/** Lines of every layout and list of codes in a driver's tables, each once, by name. */
const said = async (driver: string): Promise<string[]> => {
  const folder = new URL(`../../../packages/driver-${driver}/src/tables/`, import.meta.url)
  const seen = new Map<unknown, string>()
  for (const file of readdirSync(folder).sort()) {
    const exported = await import(new URL(file, folder).pathname) as Readonly<Record<string, unknown>>
    for (const [name, each] of Object.entries(exported)) seen.set(each, isEntry(each) ? each.name : name)
  }
  return [...seen].sort(([, a], [, b]) => (a < b ? -1 : 1)).flatMap(([each, name]) => linesOf(name, each))
}

/** While one driver is mutated it is the only one that can say something else. */
const mutated = process.env['MUTATE']?.split('/')[0]

test.each(drivers.filter((each) => mutated === undefined || each === mutated))('%s', async (driver) => {
  const lines = await said(driver)
  expect(lines.length).toBeGreaterThan(50)
  await expect(lines.map((line) => `${line}\n`).join('')).toMatchFileSnapshot(`../claims/${driver}.txt`)
})
