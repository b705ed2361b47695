// Explain: a fault line, a whole log, or the name of something.
import { InputError, quoted } from './input-error.js'
import { explainLog } from './log.js'
import type { Explanation } from './log.js'
import type { Explained } from './explained.js'
import { explainTopic } from './topics.js'

/** Names that the caller knows besides: loaded when `speaks` fits, and not before. */
export interface TopicSource {
  /** Fits every name that it may know. */
  readonly speaks: RegExp
  /** None where it does not know the name. Throws InputError for one that is almost right. */
  explain(name: string): Promise<readonly Explained[]>
}

const topicsOf = async (text: string, sources: readonly TopicSource[]): Promise<readonly Explained[]> => {
  const name = text.trim()
  for (const source of sources) {
    if (!source.speaks.test(name)) continue
    const items = await source.explain(name)
    if (items.length > 0) return items
  }
  return explainTopic(text)
}

/**
 * A line, a whole log, or a name: an entry, a field ("vtd.pasid.PGTT"), a fault code ("vtd:0x59", "F_TRANSLATION"), or
 * what one of `sources` knows. Throws InputError for a single line in which there is nothing of that kind.
 */
export const explain = async (text: string, sources: readonly TopicSource[] = []): Promise<Explanation> => {
  if (text.trim().includes('\n')) return explainLog(text)
  const topics = await topicsOf(text, sources)
  if (topics.length > 0) return { schema: 'iommu.explain/1', items: topics, devices: [], otherLines: 0 }
  const log = await explainLog(text)
  if (log.items.length > 0) return log
  throw new InputError({
    file: 'the arguments', place: 'what to explain',
    expected: 'a fault line, a field such as vtd.pasid.PGTT or a code such as vtd:0x59', found: quoted(text),
  })
}
