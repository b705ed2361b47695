// Layouts beside words from outside: worked examples, and what others read in a word by their masks.
import { readFileSync } from 'node:fs'
import { decode, encode } from '@iommu/bits'
import type { Entry, Run } from '@iommu/bits'
import { expect, test } from 'vitest'

const isEntry = (each: unknown): each is Entry => typeof each === 'object' && each !== null && 'fields' in each && 'bits' in each

/** The layouts among what modules export, by name. */
export const layoutsIn = (...modules: readonly object[]): ReadonlyMap<string, Entry> =>
  new Map(modules.flatMap((each) => Object.values(each) as unknown[]).filter(isEntry).map((each) => [each.name, each]))

/** A word in which these bits are set. */
export const withBits = (...bits: readonly number[]): bigint => bits.reduce((word, bit) => word | (1n << BigInt(bit)), 0n)

/** What a fixture holds. `test`: the URL of the test beside which fixtures/ is. */
export const fixture = <T>(test: string, name: string): T => JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, test), 'utf8')) as T

/** Words, and the values of fields in them. */
export interface Example {
  readonly entry: string
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, string>>
}

/** An example that names all fields but those that are 0. */
export interface Worked extends Example { readonly what: string }

/** Every worked example is read as its fields, and they are written as its words. */
export const workedExamples = (worked: readonly Worked[], layouts: ReadonlyMap<string, Entry>): void => {
  test.each(worked.map((each) => [each.what, each] as const))('%s', (_what, { entry, words, fields }) => {
    const layout = layouts.get(entry) as Entry
    const given = Object.entries(fields).map(([name, value]) => [name, BigInt(value)] as const)
    const zeros = Object.keys(layout.fields).map((name) => [name, 0n] as const)
    const values = Object.entries(decode(layout, words.map(BigInt))).map(([name, value]) => [name, BigInt(value)] as const)
    expect(Object.fromEntries(values)).toEqual(Object.fromEntries([...zeros, ...given]))
    const isWide = (name: string): boolean => ['address', 'wide'].includes(layout.fields[name]?.kind ?? '')
    const typed = given.map(([name, value]) => [name, isWide(name) ? value : Number(value)] as const)
    expect(encode(layout, Object.fromEntries(typed))).toEqual(words.map(BigInt))
  })
}

/** Where others have a field, who of them, and which bits of its value their masks keep. */
export interface Place {
  readonly bits: readonly Run[]
  readonly valueMask: string
  readonly source: 'linux' | 'qemu' | 'both'
}

/** Entries as others have them, and words as they read them. */
export interface Outside<Known, Vector extends Example> {
  readonly entries: Readonly<Record<string, Known & { readonly fields: Readonly<Record<string, Place>> }>>
  readonly vectors: readonly Vector[]
}

/**
 * A layout reads in a word what others read in it, as far as their masks go. `valueOf`: our value for a name of theirs;
 * undefined where it is no field.
 */
export const readsAlike = (
  { entries }: Outside<unknown, Example>, { entry, words, fields }: Example, layout: Entry,
  valueOf: (values: Readonly<Record<string, number | bigint>>, name: string) => bigint | undefined
  = (values, name) => BigInt(values[name] as number | bigint),
): void => {
  const values = decode(layout, words.map(BigInt))
  for (const [name, value] of Object.entries(fields)) {
    const ours = valueOf(values, name)
    if (ours === undefined) continue
    const mask = BigInt(entries[entry]?.fields[name]?.valueMask ?? 0)
    expect([name, ours & mask]).toEqual([name, BigInt(value)])
  }
}
