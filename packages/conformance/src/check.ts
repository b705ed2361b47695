// Checks: how a case says what it expected and what it found.
import { errorCode } from '@iommu/core'
import type { IommuErrorCode } from '@iommu/core'

/** A statement does not hold. Anything else that a case throws is an error of driver, core or case. */
export class StatementFailed extends Error {
  override readonly name = 'StatementFailed'
}

/** The hardware cannot, and does not claim to: the statement does not take part. */
export class NotDeclared extends Error {
  override readonly name = 'NotDeclared'
}

export const notDeclared = (reason: string): never => {
  throw new NotDeclared(`not declared: ${reason}`)
}

/** A domain is shown by its kind: what it holds is the driver's business. */
const isDomain = (value: unknown): value is { readonly kind: string } =>
  typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string'

const shown = (value: unknown): string =>
  typeof value === 'bigint' ? `0x${value.toString(16)}`
    : typeof value === 'string' ? value
      : Array.isArray(value) ? `[${value.map(shown).join(', ')}]`
        : isDomain(value) ? `a ${value.kind} domain` : JSON.stringify(value) ?? String(value)

export const fail = (sentence: string): never => {
  throw new StatementFailed(sentence)
}

export const check = (holds: boolean, sentence: string): void => {
  if (!holds) fail(sentence)
}

/** Equality of primitives, and of arrays of them. */
export const same = (what: string, found: unknown, expected: unknown): void => {
  const equal = Array.isArray(found) && Array.isArray(expected)
    ? found.length === expected.length && found.every((each, index) => Object.is(each, expected[index]))
    : Object.is(found, expected)
  if (!equal) fail(`${what}: expected ${shown(expected)}, found ${shown(found)}`)
}

/** The code with which `run` refuses, or 'ok'. Errors that are not IommuErrors go through. */
export const outcomeOf = (run: () => unknown): IommuErrorCode | 'ok' => {
  try {
    run()
    return 'ok'
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined) throw error
    return code
  }
}

export const refuses = (what: string, code: IommuErrorCode | readonly IommuErrorCode[], run: () => unknown): void => {
  const found = outcomeOf(run)
  const allowed = typeof code === 'string' ? [code] : code
  if (found === 'ok' || !allowed.includes(found)) fail(`${what}: expected ${allowed.join(' or ')}, found ${found}`)
}

export const succeeds = (what: string, run: () => unknown): void => same(what, outcomeOf(run), 'ok')
