// Walks by fast-check, which is handed in: it draws the commands, and makes a sequence short that fails.
import type { Backend } from '../backend.js'
import type { Command } from './command.js'
import { kinds, takesPart } from './kinds.js'
import type { Kind } from './kinds.js'
import type { Model } from './model.js'
import { SETTINGS } from './setting.js'
import { start } from './walk.js'
import type { Ground, Start } from './walk.js'

/** Some values, by the library that draws them. */
export interface Arbitrary<T> {
  map<U>(change: (value: T) => U): Arbitrary<U>
}

/** A command as model-based runs call it. */
export interface CheckedCommand {
  check(model: Readonly<Model>): boolean
  run(model: Model, real: Start): void
  toString(): string
}

/** What of fast-check (3 or 4) is used: `import fc from 'fast-check'` is one. */
export interface FastCheck {
  nat(max: number): Arbitrary<number>
  tuple(...numbers: Arbitrary<number>[]): Arbitrary<number[]>
  commands(kinds: Arbitrary<CheckedCommand>[], settings: { readonly maxCommands: number; readonly size: 'max' }): Arbitrary<Iterable<CheckedCommand>>
  property(
    setting: Arbitrary<number>, walks: Arbitrary<Iterable<CheckedCommand>>, holds: (setting: number, walk: Iterable<CheckedCommand>) => void,
  ): unknown
  assert(property: unknown, settings: { readonly numRuns: number; readonly seed?: number }): void
  modelRun(setUp: () => { readonly model: Model; readonly real: Start }, walk: Iterable<CheckedCommand>): void
}

const COMMANDS = 40

const looked = (kind: Kind, command: Command): CheckedCommand => ({
  check: (model) => takesPart(kind, model) && command.check(model),
  run: (_model, real) => real.step(command),
  toString: () => command.toString(),
})

/** Throws what fast-check throws, with its seed and the shortest walk that fails. */
export const checkWalks = (
  fc: FastCheck, backend: Backend, { walks, seed, ...ground }: Ground & { readonly walks: number; readonly seed?: number },
): void => {
  // An arbitrary for each share, since the library draws evenly.
  const commands = kinds.flatMap((kind) => {
    const { weight, draws, make } = kind
    const drawn = fc.tuple(...draws.map((values) => fc.nat(values - 1))).map((numbers) => looked(kind, make(...numbers)))
    return Array.from({ length: weight }, () => drawn)
  })
  const property = fc.property(fc.nat(SETTINGS - 1), fc.commands(commands, { maxCommands: COMMANDS, size: 'max' }), (setting, walk) => {
    fc.modelRun(() => {
      const real = start(backend, { ...ground, setting })
      return { model: real.model, real }
    }, walk)
  })
  fc.assert(property, { numRuns: walks, ...(seed === undefined ? {} : { seed }) })
}
