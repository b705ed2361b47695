// AMD-Vi's event codes, in our words.
import { events, ioPageFaultEvent } from '@iommu/driver-amd-vi/queues'
import { once } from '../once.js'
import type { CodeMembers } from '../vendor.js'
import { adviceFor } from './advice.js'

/** What is known of an event code; `meaning` is absent for one that is not known. */
export const explainCode = once((code: number): CodeMembers => {
  const event = events.get(code)
  if (event === undefined) return { vendor: 'amd', code, name: `AMD-Vi event ${code}`, section: ioPageFaultEvent.section }
  const { name, meaning, layout, confirmedBy } = event
  return { vendor: 'amd', code, name, meaning, section: layout.section, confirmedBy, ...adviceFor(code) }
})

const byName = new Map([...events.values()].map(({ name, code }) => [name, code]))

/** IO_PAGE_FAULT: 2. */
export const codeNamed = (name: string): number | undefined => byName.get(name)
