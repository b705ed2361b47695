// Explain: a fault line, a whole log, or the name of something.
import { InputError, quoted } from './input-error.js'
import { explainLog } from './log.js'
import type { Explanation } from './log.js'
import { explainTopic } from './topics.js'

/**
 * A line, a whole log, or a name: an entry, a field ("vtd.pasid.PGTT"), a fault code ("vtd:0x59", "F_TRANSLATION").
 * Throws InputError for a single line in which there is nothing of that kind.
 */
export const explain = async (text: string): Promise<Explanation> => {
  if (text.trim().includes('\n')) return explainLog(text)
  const topics = await explainTopic(text)
  if (topics.length > 0) return { schema: 'iommu.explain/1', items: topics, devices: [], otherLines: 0 }
  const log = await explainLog(text)
  if (log.items.length > 0) return log
  throw new InputError({
    file: 'the arguments', place: 'what to explain',
    expected: 'a fault line, a field such as vtd.pasid.PGTT or a code such as vtd:0x59', found: quoted(text),
  })
}
