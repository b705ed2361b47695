// Places: values of a JSON file with the path that leads to them, so that every complaint can name it.
import { InputError, quoted } from './input-error.js'
import { readJson } from './json.js'
import type { Json } from './json.js'

export interface Place {
  readonly file: string
  /** "devices[2].bdf" */
  readonly path: string
  /** Undefined: there is no such member. */
  readonly value: Json | undefined
}

/** The whole of a file. */
export const rootOf = (file: string, text: string): Place => ({ file, path: 'top level', value: readJson(file, text) })

const shown = (value: Json | undefined): string =>
  value === undefined ? 'nothing'
    : typeof value === 'string' ? quoted(value)
      : Array.isArray(value) ? 'a list'
        : value instanceof Map ? 'an object' : String(value)

/** Throws the InputError of a place. */
export const complain = ({ file, path, value }: Place, expected: string, found = shown(value)): never => {
  throw new InputError({ file, place: path, expected, found })
}

const below = ({ file, path }: Place, step: string, value: Json | undefined): Place =>
  ({ file, path: path === 'top level' ? step.replace(/^\./, '') : `${path}${step}`, value })

/** The members of an object. */
export const membersOf = (place: Place): (readonly [name: string, member: Place])[] => {
  if (!(place.value instanceof Map)) return complain(place, 'an object')
  const members = place.value as ReadonlyMap<string, Json>
  return [...members].map(([name, value]) => [name, below(place, `.${name}`, value)] as const)
}

/** One member; its value is undefined where it is missing. */
export const memberOf = (place: Place, name: string): Place => {
  if (!(place.value instanceof Map)) return complain(place, 'an object')
  return below(place, `.${name}`, (place.value as ReadonlyMap<string, Json>).get(name))
}

export const itemsOf = (place: Place): Place[] => {
  if (!Array.isArray(place.value)) return complain(place, 'a list')
  return (place.value as readonly Json[]).map((value, index) => below(place, `[${index}]`, value))
}

export const textAt = (place: Place, expected = 'a text'): string =>
  typeof place.value === 'string' ? place.value : complain(place, expected)

export const wholeNumberAt = (place: Place, expected = 'a whole number'): number =>
  typeof place.value === 'number' && Number.isSafeInteger(place.value) && place.value >= 0
    ? place.value : complain(place, expected)

/** A hexadecimal number written as a text: "0x1d2b". */
export const hexAt = (place: Place, bits: number, text = textAt(place, 'a number as a "0x..." text')): bigint => {
  if (!/^0x[0-9a-f]+$/i.test(text)) return complain(place, 'a number as a "0x..." text', quoted(text))
  const value = BigInt(text)
  return value >> BigInt(bits) === 0n ? value : complain(place, `a number of ${bits} bits`, quoted(text))
}
