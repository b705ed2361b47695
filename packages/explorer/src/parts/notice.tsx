// A sentence that must be seen: what went wrong, or what to know first. The mark says it without colour.
import type { ComponentChildren } from 'preact'

export const Notice = ({ kind, children }: { readonly kind: 'wrong' | 'note'; readonly children: ComponentChildren }) => (
  <p class={`notice ${kind}`} role={kind === 'wrong' ? 'alert' : 'note'}>
    <span class="mark" aria-hidden="true">{kind === 'wrong' ? '!' : 'i'}</span>
    <span>{children}</span>
  </p>
)
