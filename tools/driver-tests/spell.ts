// Words, formats, plans and events as literal lines, which tests compare.
import type { HardwareEvent, Observer } from '@iommu/hardware'
import { walkingOf } from '@iommu/page-table'
import type { Format } from '@iommu/page-table'

/** Numbers as hexadecimal ones. */
export const hex = (...numbers: readonly (number | bigint)[]): string => numbers.map((each) => `0x${each.toString(16)}`).join(' ')

/** A format as its numbers, those that walks need too. */
export const spellFormat = (format: Format): string => JSON.stringify([{ ...format, parts: undefined, kept: undefined }, walkingOf(format)])

/** Lines for the events while something is done; an event without a line is left out. */
export const during = (
  machine: { observe(observer: Observer): () => void }, line: (event: HardwareEvent) => string | undefined, act: () => void,
): string[] => {
  const lines: string[] = []
  const stop = machine.observe((event) => {
    const said = line(event)
    if (said !== undefined) lines.push(said)
  })
  act()
  stop()
  return lines
}

/** A step of a plan, whatever its vendor calls what is submitted. */
interface Planned {
  readonly do: string
  readonly index?: number
  readonly value?: bigint
  readonly values?: readonly bigint[]
  readonly commands?: readonly (readonly bigint[])[]
  readonly descriptors?: readonly (readonly bigint[])[]
}

/** Each step of a plan: where what is stored, which commands are submitted together; of others the name. */
export const spellPlan = (steps: readonly Planned[]): string[] => steps.map(({ do: what, index, value, values, commands, descriptors }) => {
  switch (what) {
    case 'store': return `q${index} ${hex(...values ?? [value as bigint])}`
    case 'invalidate': return (commands ?? descriptors ?? []).map((words) => hex(...words)).join(', ')
    default: return what
  }
})
