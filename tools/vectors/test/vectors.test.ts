// The committed vectors are what layouts, models and outside words say, and they fit their schema.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import Ajv from 'ajv'
import { describe, expect, test } from 'vitest'
import { committed, generate, VENDORS } from '../generate.js'

interface Vector {
  readonly id: string
  readonly kind: string
  readonly result: object
  readonly confirmedBy: readonly string[]
  readonly unconfirmed: readonly string[]
}
interface File { readonly vectors: readonly Vector[] }

const schema = JSON.parse(readFileSync(fileURLToPath(new URL('../../../packages/vectors/schema.json', import.meta.url)), 'utf8')) as object
const validate = new Ajv().compile(schema)

describe.each(VENDORS)('vectors: %s', (vendor) => {
  const file = JSON.parse(committed(vendor)) as File

  test('are what the layouts and models say; npm run vectors writes them', async () => {
    expect(await generate(vendor)).toBe(committed(vendor))
  })
  test('fit their schema', () => {
    validate(file)
    expect(validate.errors?.slice(0, 3) ?? []).toEqual([])
  })
  test('are each confirmed by somebody outside; of transitions, those that nobody confirms say so of every member', () => {
    const alone = file.vectors.filter(({ confirmedBy }) => confirmedBy.length === 0)
    expect(alone.filter(({ kind }) => kind !== 'transition').map(({ id }) => id)).toEqual([])
    for (const { result, unconfirmed } of alone) expect(new Set(unconfirmed)).toEqual(new Set(Object.keys(result)))
    expect(file.vectors.length).toBeGreaterThan(100)
  })
  test('are of every kind', () => {
    expect(new Set(file.vectors.map(({ kind }) => kind))).toEqual(new Set(['decode', 'encode', 'walk', 'transition', 'line']))
  })
  test('are small as they are packed', () => {
    expect(gzipSync(committed(vendor)).length).toBeLessThan(64 * 1024)
  })
})

test('the schema refuses what is no vector', () => {
  const [vector] = (JSON.parse(committed('vtd')) as File).vectors
  expect(validate({ schema: 'iommu.vectors/1', vendor: 'vtd', vectors: [{ ...vector, kind: 'guess' }] })).toBe(false)
  expect(validate({ schema: 'iommu.vectors/1', vendor: 'vtd', vectors: [{ ...vector, result: { fields: { P: 1 }, reserved: [] } }] })).toBe(false)
})
