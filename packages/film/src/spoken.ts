// What is asked of a driver and a core layer, in words: calls, what they were given, and what came of them.
import { errorCode } from '@iommu/core'
import type { Device, Domain } from '@iommu/core'
import type { DmaRequest, Outcome } from '@iommu/hardware'
import { hex } from '@iommu/inspect'

/** The name of a domain: its kind, and which of them; or the name that it is to have, for one that is met for the first time. */
export type Label = (domain: Domain, named?: string) => string

const isDevice = (value: object): value is Device => 'requesterId' in value && 'name' in value
export const isDomain = (value: unknown): value is Domain => typeof value === 'object' && value !== null && 'kind' in value && !isDevice(value)
/** What an unmap gathers says more than a reader wants; its flush is a step of its own. */
const isGather = (value: object): boolean => 'freed' in value
const isGroup = (value: object): value is { readonly key: string } => 'key' in value && 'defaultType' in value
const shortName = (name: string): string => name.replace(/^0000:/, '')
const ONE_OF_A_KIND: ReadonlySet<string> = new Set(['blocked', 'identity', 'platform'])

/** Names domains in the order in which they are met: "paging 1". */
export const createLabels = (): Label => {
  const labels = new WeakMap<Domain, string>()
  const counts = new Map<string, number>()
  return (domain, named) => {
    const known = labels.get(domain)
    if (known !== undefined) return known
    if (named !== undefined) {
      labels.set(domain, named)
      return named
    }
    const { kind } = domain
    const number = (counts.get(kind) ?? 0) + 1
    counts.set(kind, number)
    const label = ONE_OF_A_KIND.has(kind) ? kind : `${kind} ${number}`
    labels.set(domain, label)
    return label
  }
}

/** The members of an object that are plain: "{ format: vtd.ss, pasid }". Empty for one that has none. */
const spellMembers = (value: object, label: Label): string => {
  const members = Object.entries(value).filter(([, each]) => ['string', 'number', 'boolean', 'bigint'].includes(typeof each) && each !== false)
  return members.length === 0 ? '' : `{ ${members.map(([name, each]) => (each === true ? name : `${name}: ${spell(each, label)}`)).join(', ')} }`
}

/** Empty for what says nothing, such as a callback. */
const spell = (value: unknown, label: Label): string => {
  if (typeof value === 'bigint') return hex(value)
  if (typeof value === 'symbol' || typeof value === 'function') return ''
  if (typeof value !== 'object' || value === null) return value === undefined ? '' : String(value)
  if (value instanceof Error) return errorCode(value) ?? value.name
  if (Array.isArray(value)) return value.map((each) => spell(each, label)).join(' ')
  if (isDevice(value)) return shortName(value.name)
  if (isDomain(value)) return label(value)
  if (isGather(value)) return ''
  return isGroup(value) ? `group of ${shortName(value.key)}` : spellMembers(value, label)
}

/** "paging 1.attachDev(00:04.0, blocked)" */
export const callText = (of: string, op: string, args: readonly unknown[], label: Label): string => {
  const given = args.map((each, index) => (op === 'setDevPasid' && index === 1 ? `PASID ${String(each)}` : spell(each, label)))
  return `${of}.${op}(${given.filter((each) => each !== '').join(', ')})`
}

export const answerText = (op: string, result: unknown, label: Label): string => {
  if (result === undefined) return op === 'iovaToPhys' ? 'nothing' : ''
  if (typeof result !== 'object' || result === null || !('mapped' in result)) return spell(result, label)
  const { mapped, error } = result as { readonly mapped: bigint; readonly error?: Error }
  return `mapped ${hex(mapped)}${error === undefined ? '' : `, ${spell(error, label)}`}`
}

export const refusalText = (error: unknown): string => {
  const code = errorCode(error)
  return code === undefined ? `threw ${error instanceof Error ? error.name : String(error)}` : `refused: ${code}`
}

/** "00:04.0": bus, device, function. */
export const sourceText = (source: number): string => {
  const [bus, device] = [source >> 8, (source >> 3) & 31].map((each) => each.toString(16).padStart(2, '0'))
  return `${bus}:${device}.${source & 7}`
}

/** "read of 0x100000 by 00:04.0 PASID 5" */
export const requestText = ({ access, address, source, pasid, kind }: DmaRequest): string =>
  `${kind === 'untranslated' ? '' : `${kind} `}${access} of ${hex(address)} by ${sourceText(source)}${pasid === undefined ? '' : ` PASID ${pasid}`}`

export const outcomeText = (outcome: Outcome): string =>
  (outcome.result === 'translated' ? hex(outcome.address) : `blocked${outcome.fault === undefined ? '' : ` (${outcome.fault.name})`}`)
