// An entry's layout as a picture of 32 bits a line, and as a table that says the same in words. Made from the layout alone.
import { confirmation } from '@iommu/bits'
import { escape } from './markdown.js'

const LINE = 32
const spell = ([high, low]) => (high === low ? `${low}` : `${high}:${low}`)

/** What lies where, from the highest bit down. */
const partsOf = (entry) => [
  ...Object.entries(entry.fields).flatMap(([name, { runs, kind }]) => runs.map((run) => ({
    run, name, kind: kind === 'address' ? 'field address' : 'field', doubt: confirmation(entry, name).length === 0,
  }))),
  ...entry.reserved.map((run) => ({ run, name: '0', kind: 'reserved', doubt: false })),
  ...entry.ignored.map((run) => ({ run, name: 'ignored', kind: 'ignored', doubt: false })),
].sort((a, b) => b.run[0] - a.run[0])

/** Lines of a picture as [high, low]: lines that one part fills whole are one. */
const linesOf = (entry, parts) => {
  const lines = []
  for (let low = 0; low < entry.bits; low += LINE) {
    const high = low + LINE - 1
    const before = lines.at(-1)
    const filled = before !== undefined && parts.some(({ run, kind }) => kind === 'reserved' && run[0] >= high && run[1] <= before[1])
    if (filled) before[0] = high
    else lines.push([high, low])
  }
  return lines
}

/** One line of the picture: each part that reaches into it, cut at its ends. A line of more than 32 bits is one part's. */
const line = (parts, [top, bottom]) => {
  const cells = parts.filter(({ run: [high, low] }) => low <= top && high >= bottom).map(({ run, name, kind, doubt }) => {
    const shown = [Math.min(run[0], top), Math.max(run[1], bottom)]
    const width = Math.min(shown[0] - shown[1] + 1, LINE)
    const label = width * 2.2 >= name.length ? escape(name) : ''
    return `<span class="${kind}${doubt ? ' doubt' : ''}" style="grid-column:span ${width}" title="${escape(name)} ${spell(run)}">${label}<small>${width > 2 || width === 1 ? spell(shown) : ''}</small></span>`
  })
  return `<div class="row"><span class="at">${top}:${bottom}</span>${cells.join('')}</div>`
}

const meanings = ({ meanings: named }) => (named === undefined ? ''
  : `<br><span class="note">${Object.entries(named).map(([value, means]) => `${value} ${escape(means)}`).join('; ')}</span>`)

const rows = (entry) => Object.entries(entry.fields).sort(([, a], [, b]) => a.runs.at(-1)[1] - b.runs.at(-1)[1]).map(([name, field]) => {
  const by = confirmation(entry, name)
  return `<tr id="${escape(`${entry.name}.${name}`)}"><td>${field.runs.map(spell).join(', ')}</td><td><code>${escape(name)}</code></td>`
    + `<td>${escape(field.title)}${meanings(field)}</td><td>${by.length === 0 ? 'nobody outside' : by.join(', ')}</td></tr>`
})

/** An entry as HTML: heading, picture, table. */
export const picture = (entry) => {
  const parts = partsOf(entry)
  return `<h3 id="${escape(entry.name)}">${escape(entry.title)} <code>${escape(entry.name)}</code></h3>
<p class="note">${entry.bits} bits, ${escape(entry.section)}${entry.byteOrder === 'big' ? ', words with the high byte first' : ''}</p>
<div class="wide" tabindex="0" role="group" aria-label="Bits of ${escape(entry.name)}; the table below says the same"><div class="bits" aria-hidden="true">
${linesOf(entry, parts).map((each) => line(parts, each)).join('\n')}
</div></div>
<div class="wide" tabindex="0"><table><thead><tr><th>bits</th><th>field</th><th>what it is</th><th>confirmed by</th></tr></thead><tbody>
${rows(entry).join('\n')}
</tbody></table></div>`
}
