// Where on the page one is, and with what: all of it in the address's fragment, so that a link is the whole state.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

const VIEWS = ['paste', 'blocked', 'play', 'classify'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  readonly view: View
  readonly params: Readonly<Record<string, string>>
}

const isView = (text: string): text is View => (VIEWS as readonly string[]).includes(text)

/** "#paste?text=...": what is not known is the first view. */
const readFragment = (fragment: string): Route => {
  const [, name = '', query = ''] = /^#?([^?]*)\??([\s\S]*)$/.exec(fragment) ?? []
  return { view: isView(name) ? name : 'paste', params: Object.fromEntries(new URLSearchParams(query)) }
}

/** Members that are empty are left out. */
export const writeFragment = ({ view, params }: Route): string => {
  // URLSearchParams would take seconds for a pasted log.
  const query = Object.entries(params).filter(([, value]) => value !== '').map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return `#${view}${query === '' ? '' : `?${query}`}`
}

/** Browsers take longer addresses; mail and chat do not. What is longer stays with the page alone. */
const LONGEST = 100_000
/** Browsers slow down pages that write their address at every key. */
const PATIENCE = 120

export interface Navigation {
  readonly route: Route
  /** Whether the address is short enough to hold everything. */
  readonly linked: boolean
  /** To another view: a new entry of the browser's history. */
  go(route: Route): void
  /** Changes parameters of this view; the history keeps its length. */
  set(params: Readonly<Record<string, string>>): void
}

const fits = ({ params }: Route): boolean => Object.values(params).reduce((sum, value) => sum + value.length, 0) <= LONGEST

/** The route, kept equal to the address both ways. */
export const useNavigation = (): Navigation => {
  const [route, setRoute] = useState(() => readFragment(location.hash))
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    const follow = (): void => {
      clearTimeout(waiting.current)
      setRoute(readFragment(location.hash))
    }
    addEventListener('popstate', follow)
    return () => removeEventListener('popstate', follow)
  }, [])
  const go = useCallback((next: Route) => {
    clearTimeout(waiting.current)
    history.pushState(null, '', writeFragment(next))
    setRoute(next)
  }, [])
  const set = useCallback((params: Readonly<Record<string, string>>) => setRoute(({ view, params: old }) => {
    const next = { view, params: { ...old, ...params } }
    clearTimeout(waiting.current)
    waiting.current = setTimeout(() => history.replaceState(null, '', fits(next) ? writeFragment(next) : `#${view}`), PATIENCE)
    return next
  }), [])
  return { route, go, set, linked: fits(route) }
}
