// What is generated of a vendor's page: what its driver declares on each kind of hardware, and every layout as a picture.
import { escape } from './markdown.js'
import { picture } from './bit-picture.js'

/** What an entry's name says of it; the first that fits. */
const GROUPS = [
  ['Commands', /\.(?:cmd|qi)\./],
  ['Records', /\.(?:event|page-request|ppr|pri|frcd|fault)\b/],
  ['Registers and the rest', /./],
]

const where = ({ rid, pasid }) => [...(rid ? ['requester ids'] : []), ...(pasid ? ['PASIDs'] : [])].join(', ') || 'no'
const code = (words) => words.map((each) => `<code>${escape(each)}</code>`).join(' ')

/** What a driver declares, kind by kind: one column for what can differ, limits once. */
const declared = ({ backends, manifests }) => {
  const row = (backend, { blocked, identity, paging, formats, maxPasids, hitless }) => `<tr><td>${escape(backend)}</td><td>${where(blocked)}</td>`
    + `<td>${where(identity)}</td><td>${where(paging)}</td><td>${code(formats)}</td><td>${maxPasids === 0 ? 'none' : maxPasids}</td>`
    + `<td>${hitless.length === 0 ? 'none' : `${hitless.length} pairs`}</td></tr>`
  const limits = new Map(manifests.flatMap(({ limits: each }) => Object.entries(each)))
  return `<h2 id="declared">What the driver declares</h2>
<p>The suite runs on these kinds of hardware. What is declared is tested; what is not is refused, and that is tested too.</p>
<div class="wide" tabindex="0"><table><thead><tr><th>kind of hardware</th><th>blocked on</th><th>identity on</th><th>paging on</th><th>formats</th><th>PASIDs</th><th>hitless</th></tr></thead><tbody>
${backends.map(({ backend }, index) => row(backend, manifests[index])).join('\n')}
</tbody></table></div>
<h3 id="limits">Limits, as the manifest says them</h3>
<ul>${[...limits].map(([what, why]) => `<li>${escape(what)}: ${escape(String(why))}</li>`).join('\n')}</ul>`
}

const pictures = ({ entries, first }) => {
  if (entries.length === 0) return ''
  const named = entries.filter(({ name }) => first.includes(name))
  const others = entries.filter(({ name }) => !first.includes(name))
  const groupOf = ({ name }) => GROUPS.find(([, fits]) => fits.test(name))[0]
  const groups = [
    ['What a DMA meets', named],
    ...GROUPS.map(([title]) => [title, others.filter((entry) => groupOf(entry) === title)]),
  ].filter(([, list]) => list.length > 0)
  const id = (title) => title.toLowerCase().replaceAll(' ', '-')
  return `<h2 id="layouts">Layouts</h2>
<p>Made from the declarations that the driver, its model and the decoder share. Bits are counted as the manual counts them. Hatched
fields are those whose place nobody outside of this project confirms; a section that ends in <code>?</code> has not been checked against
the manual.</p>
${groups.map(([title, list]) => `<h2 id="${id(title)}">${title}</h2>\n${list.map(picture).join('\n')}`).join('\n')}`
}

/** HTML that follows the vendor's own words. */
export const vendorParts = (vendor) => ({
  html: `${declared(vendor)}\n${pictures(vendor)}`,
  headings: [{ level: 2, text: 'What the driver declares', id: 'declared' }, ...(vendor.entries.length === 0 ? [] : [{ level: 2, text: 'Layouts', id: 'layouts' }])],
})
