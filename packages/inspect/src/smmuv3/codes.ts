// SMMUv3's event codes, in our words.
import { anyEvent, events } from '@iommu/driver-arm-smmuv3/queues'
import { once } from '../once.js'
import { hexCode } from '../spell.js'
import type { CodeMembers } from '../vendor.js'
import { adviceFor } from './advice.js'

/** Events of the implementation's own, by the manual. */
const OWN = { first: 0xe0, last: 0xef } as const

/** What is known of an event code; `meaning` is absent for one that is not known. */
export const explainCode = once((code: number): CodeMembers => {
  const about = { vendor: 'smmuv3', code } as const
  if (code >= OWN.first && code <= OWN.last) {
    return {
      ...about, name: `SMMUv3 event ${hexCode(code)}`, meaning: 'an event that the maker of this SMMU has defined',
      section: anyEvent.section, confirmedBy: ['spec'],
    }
  }
  const event = events.get(code)
  if (event === undefined) return { ...about, name: `SMMUv3 event ${hexCode(code)}`, section: anyEvent.section }
  const { name, meaning, layout, confirmedBy } = event
  return { ...about, name, meaning, section: layout.section, confirmedBy, ...adviceFor(code) }
})

const byName = new Map<string, number>([...events.values()].map(({ name, code }) => [name, code]))

/** F_TRANSLATION: 0x10. */
export const codeNamed = (name: string): number | undefined => byName.get(name)
