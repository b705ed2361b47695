// The op trace: every call that reaches the driver, in order, with what came of it; and refusals on demand.
import { IommuError, errorCode } from '@iommu/core'
import type { Device, Domain, IommuErrorCode, IommuOps } from '@iommu/core'

/** One call. Domains are those that the caller sees. */
export interface Call {
  readonly op: string
  /** On which domain, for calls on domains. */
  readonly domain?: Domain
  readonly device?: Device
  readonly pasid?: number
  readonly old?: Domain
  readonly args: readonly unknown[]
  outcome: 'ok' | IommuErrorCode | 'threw'
  /** What it returned; absent while it runs, and where it threw. */
  result?: unknown
}

/** Answers with a code for a call that is to be refused before the driver sees it. */
export type Refusal = (call: Call) => IommuErrorCode | undefined

export interface Trace {
  readonly ops: IommuOps
  /** Calls since the last `clear`. */
  readonly calls: readonly Call[]
  clear(): void
  /** Domains set on a point so far, with success or not. */
  readonly transitions: number
  /** Calls refused by a rule so far. */
  readonly refused: number
  /** Replaces the rule for refusals; undefined: none. */
  refuse(rule: Refusal | undefined): void
  /** Runs inside a call, before the driver sees it. */
  during(look: ((call: Call) => void) | undefined): void
  /** Runs when a call has returned without an error. */
  after(look: ((call: Call) => void) | undefined): void
  /** Runs when a call is over, however it ended. */
  ended(look: ((call: Call) => void) | undefined): void
  /** The driver's own object for a domain of the trace. */
  inner(domain: Domain): Domain
}

const isDevice = (value: unknown): value is Device =>
  typeof value === 'object' && value !== null && 'requesterId' in value && 'name' in value
const isDomain = (value: unknown): value is Domain => typeof value === 'object' && value !== null && 'kind' in value && !isDevice(value)

/** Names of all members, inherited ones included. */
const memberNames = (value: object): Set<string> => {
  const names = new Set<string>()
  for (let each: object | null = value; each !== null && each !== Object.prototype; each = Object.getPrototypeOf(each) as object | null) {
    for (const name of Object.getOwnPropertyNames(each)) if (name !== 'constructor') names.add(name)
  }
  return names
}

/** Wraps a driver; every domain that it gives out is wrapped too, and unwrapped when it is handed back. */
export const traceOps = (driver: IommuOps): Trace => {
  const calls: Call[] = []
  const outer = new Map<Domain, Domain>()
  const inner = new Map<Domain, Domain>()
  let rule: Refusal | undefined
  let refused = 0
  let transitions = 0
  let look: ((call: Call) => void) | undefined
  let lookAfter: ((call: Call) => void) | undefined
  let lookEnded: ((call: Call) => void) | undefined

  const unwrap = (value: unknown): unknown => (isDomain(value) ? inner.get(value) ?? value : value)
  const wrapResult = (value: unknown): unknown => (isDomain(value) ? wrapDomain(value) : value)
  const describeCall = (op: string, domain: Domain | undefined, args: readonly unknown[]): Call => {
    const device = args.find(isDevice)
    const domains = args.filter(isDomain)
    const numbers = op === 'setDevPasid' ? args.filter((each) => typeof each === 'number') : []
    const old = op === 'attachDev' || op === 'setDevPasid' ? domains[0] : undefined
    return {
      op, args, outcome: 'ok',
      ...(domain === undefined ? {} : { domain }),
      ...(device === undefined ? {} : { device }),
      ...(numbers.length === 0 ? {} : { pasid: numbers[0] as number }),
      ...(old === undefined ? {} : { old }),
    }
  }
  const invoke = (op: string, target: object, domain: Domain | undefined, args: readonly unknown[]): unknown => {
    const call = describeCall(op, domain, args)
    calls.push(call)
    if (op === 'attachDev' || op === 'setDevPasid') transitions++
    try {
      look?.(call)
      const code = rule?.(call)
      if (code !== undefined) {
        refused++
        throw new IommuError(code, `${op} is made to fail`)
      }
      const method = (target as Record<string, (...rest: unknown[]) => unknown>)[op] as (...rest: unknown[]) => unknown
      const result = wrapResult(method.apply(target, args.map(unwrap)))
      call.result = result
      lookAfter?.(call)
      return result
    } catch (error) {
      call.outcome = errorCode(error) ?? 'threw'
      throw error
    } finally {
      lookEnded?.(call)
    }
  }
  const mirror = <T extends object>(target: T, domain: (() => Domain) | undefined): T => {
    const copy = {}
    for (const name of memberNames(target)) {
      const value = (target as Record<string, unknown>)[name]
      if (typeof value === 'function') {
        Object.defineProperty(copy, name, {
          enumerable: true, value: (...args: unknown[]) => invoke(name, target, domain?.(), args),
        })
      } else {
        Object.defineProperty(copy, name, { enumerable: true, get: () => wrapResult((target as Record<string, unknown>)[name]) })
      }
    }
    return copy as T
  }
  const wrapDomain = (domain: Domain): Domain => {
    if (inner.has(domain)) return domain
    let wrapped = outer.get(domain)
    if (wrapped === undefined) {
      wrapped = mirror(domain, () => wrapped as Domain)
      outer.set(domain, wrapped)
      inner.set(wrapped, domain)
    }
    return wrapped
  }

  return {
    ops: mirror(driver, undefined),
    calls,
    clear() { calls.length = 0 },
    get transitions() { return transitions },
    get refused() { return refused },
    refuse(next) { rule = next },
    during(next) { look = next },
    after(next) { lookAfter = next },
    ended(next) { lookEnded = next },
    inner: (domain) => inner.get(domain) ?? domain,
  }
}
