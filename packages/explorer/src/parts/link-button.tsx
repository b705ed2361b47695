// The link to what is shown, which holds all of it; where that is too much for a link, this is said.
import { CopyButton } from './copy-button.js'

export const LinkButton = ({ linked, label = 'copy a link to this' }: { readonly linked: boolean; readonly label?: string }) => (
  linked
    ? <><CopyButton label={label} text={() => location.href} /><span class="aside">It holds everything in its fragment; nothing is sent anywhere.</span></>
    : <span class="aside">This is too much for a link: it stays with this page.</span>
)
