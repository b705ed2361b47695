// Every field that somebody outside confirms, tried one bit off: moved, widened or narrowed, it is to read some word from
// outside otherwise. Fields that no such word reaches are listed in ../claims/unheld.txt.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { confirmation } from '../../../packages/bits/src/index.js'
import type { Entry, Field, Run } from '../../../packages/bits/src/index.js'
import { expect, test } from 'vitest'

/** Those whose fixtures are words of entries; the legacy ones' are single masks, which their own tests compare one by one. */
const DRIVERS = ['intel-vtd', 'amd-vi', 'arm-smmuv3', 'riscv'] as const

interface Outside { readonly bits: readonly Run[]; readonly specBits?: Run; readonly valueMask?: string; readonly alias?: readonly string[] }
type Masks = Readonly<Record<string, { readonly fields: Readonly<Record<string, Outside>> }>>
interface Vector { readonly entry: string; readonly words: readonly string[]; readonly fields: Readonly<Record<string, string>> }

const folderOf = (driver: string, inside: string): URL => new URL(`../../../packages/driver-${driver}/${inside}/`, import.meta.url)
const isEntry = (each: unknown): each is Entry => typeof each === 'object' && each !== null && 'fields' in each && 'bits' in each

const layoutsOf = async (driver: string): Promise<ReadonlyMap<string, Entry>> => {
  const found = new Map<string, Entry>()
  for (const file of readdirSync(folderOf(driver, 'src/tables')).sort()) {
    const module = await import(new URL(file, folderOf(driver, 'src/tables')).pathname) as Readonly<Record<string, unknown>>
    for (const each of Object.values(module)) if (isEntry(each)) found.set(each.name, each)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What is known from outside: where fields lie, and words with the values that others read in them. */
const outsideOf = (driver: string): { readonly masks: Masks; readonly vectors: readonly Vector[] } => {
  const read = (name: string): unknown => {
    const at = new URL(`${name}.json`, folderOf(driver, 'test/fixtures'))
    return existsSync(at) ? JSON.parse(readFileSync(at, 'utf8')) : undefined
  }
  const masks = (read('fields') ?? read('masks')) as Masks & { readonly entries?: Masks; readonly vectors?: readonly Vector[] }
  return { masks: masks.entries ?? masks, vectors: [...masks.vectors ?? [], ...read('worked') as readonly Vector[]] }
}

/** What the masks call otherwise, or know in its longer form only. */
const KNOWN_AS: Readonly<Record<string, string>> = { 'riscv.ddt': 'riscv.ddte', 'riscv.dc-base': 'riscv.dc' }

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
/** What others say of a field of ours, by its name or one of its other names. */
const named = <T>(fields: Readonly<Record<string, T>>, name: string, { alias = [] }: Field): T | undefined => {
  const known = [name, ...alias].map(plain)
  return Object.entries(fields).find(([each]) => known.includes(plain(each)))?.[1]
}

const take = (words: readonly string[], [high, low]: Run, scale: number): bigint => {
  const whole = words.reduce((value, word, index) => value | (BigInt(word) << BigInt(index * 64)), 0n)
  return ((whole >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n)) << BigInt(scale)
}

const oneOff = ([high, low]: Run, bits: number): Run[] => ([
  [high + 1, low + 1], [high - 1, low - 1], [high + 1, low], [high - 1, low], [high, low + 1], [high, low - 1],
] as const).filter(([h, l]) => l >= 0 && h >= l && h < bits)

const isHeld = (layout: Entry, name: string, field: Field, masks: Masks, vectors: readonly Vector[]): boolean => {
  const place = named(masks[KNOWN_AS[layout.name] ?? layout.name]?.fields ?? {}, name, field)
  const said = place?.specBits === undefined ? place?.bits : [place.specBits]
  if (JSON.stringify(said) === JSON.stringify(field.runs)) return true
  const [run, ...more] = field.runs
  if (run === undefined || more.length > 0) return false
  const words = vectors.filter(({ entry }) => entry === layout.name)
    .flatMap(({ words: each, fields }) => {
      const value = named(fields, name, field)
      return value === undefined ? [] : [{ words: each, value: BigInt(value) }]
    })
  return oneOff(run, layout.bits).every((moved) => words.some(({ words: each, value }) => take(each, moved, field.scale) !== value))
}

test('one bit off is seen', async () => {
  const lines: string[] = []
  for (const driver of DRIVERS) {
    const { masks, vectors } = outsideOf(driver)
    let [held, all] = [0, 0]
    for (const layout of (await layoutsOf(driver)).values()) {
      const confirmed = Object.entries(layout.fields).filter(([name]) => confirmation(layout, name).length > 0)
      const unheld = confirmed.filter(([name, field]) => !isHeld(layout, name, field, masks, vectors)).map(([name]) => name)
      all += confirmed.length
      held += confirmed.length - unheld.length
      if (unheld.length > 0) lines.push(`${layout.name}: ${unheld.join(' ')}`)
    }
    lines.push(`${driver}: ${held} of ${all} held`, '')
  }
  await expect(lines.join('\n')).toMatchFileSnapshot('../claims/unheld.txt')
})
