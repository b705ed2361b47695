// The page: four views behind one row of links, each loaded when it is first wanted.
import type { ComponentType } from 'preact'
import { useAnswer } from './parts/answer.js'
import { Notice } from './parts/notice.js'
import { useNavigation, writeFragment } from './route.js'
import type { Navigation, View } from './route.js'

interface Place {
  readonly title: string
  /** One sentence for those who are here for the first time. */
  readonly says: string
  load(): Promise<ComponentType<Navigation>>
}

const PLACES: Readonly<Record<View, Place>> = {
  paste: {
    title: 'Paste anything', says: 'A fault line or the words of a table entry, explained bit by bit.',
    load: async () => (await import('./paste/paste-page.js')).PastePage,
  },
  blocked: {
    title: 'Why blocked', says: 'Recorded tables of a machine: what becomes of each device\'s DMA, and which entry says so.',
    load: async () => (await import('./blocked/blocked-page.js')).BlockedPage,
  },
  play: {
    title: 'Play', says: 'Put a domain on a device and watch its tables change, store by store.',
    load: async () => (await import('./play/play-page.js')).PlayPage,
  },
  classify: {
    title: 'Classify', says: 'What detach_dev of every driver in 2022 really did, run on models of the hardware.',
    load: async () => (await import('./classify/classify-page.js')).ClassifyPage,
  },
}

export const App = () => {
  const navigation = useNavigation()
  const { view } = navigation.route
  const page = useAnswer(async () => ({ view, Page: await PLACES[view].load() }), [view])
  return (
    <>
      <header>
        <h1>IOMMU <span>explorer</span></h1>
        <nav aria-label="views">
          {(Object.keys(PLACES) as View[]).map((each) => (
            <a
              key={each} href={writeFragment({ view: each, params: {} })} aria-current={each === view ? 'page' : undefined}
              onClick={(event) => {
                event.preventDefault()
                if (each !== view) navigation.go({ view: each, params: {} })
              }}
            >{PLACES[each].title}</a>
          ))}
        </nav>
      </header>
      <main>
        <p class="says">{PLACES[view].says}</p>
        {page.state === 'failed' && <Notice kind="wrong">{page.why}</Notice>}
        {page.state === 'here' && page.value.view === view && <page.value.Page {...navigation} />}
      </main>
      <footer>Runs in your browser; nothing leaves this machine. The same words as the <code>iommu</code> command. Apache-2.0.</footer>
    </>
  )
}
