// An answer that takes time: what is asked last is what is shown, and what goes wrong is a sentence.
import { useEffect, useState } from 'preact/hooks'

export type Answer<T> =
  | { readonly state: 'waiting' }
  | { readonly state: 'here'; readonly value: T }
  | { readonly state: 'failed'; readonly why: string }

/** What inspect says of wrong input; a page has no arguments. */
const sentence = (error: unknown): string => (error instanceof Error ? error.message.replace(/^the arguments, /, '') : String(error))

/** Asks again when one of `about` changes; the last answer stays until the next is here. */
export const useAnswer = <T>(ask: () => Promise<T> | T, about: readonly unknown[]): Answer<T> => {
  const [answer, setAnswer] = useState<Answer<T>>({ state: 'waiting' })
  useEffect(() => {
    let wanted = true
    Promise.resolve().then(ask).then(
      (value) => { if (wanted) setAnswer({ state: 'here', value }) },
      (error: unknown) => { if (wanted) setAnswer({ state: 'failed', why: sentence(error) }) },
    )
    return () => { wanted = false }
  }, about)
  return answer
}
