// One page for each statement: what it says, where that is from, the case that can fail, who breaks it, and the film of one.
import { groupOf, subjects } from '@iommu/conformance'
import { between, escape, linkStatements } from './markdown.js'

export const pathOf = (id) => `statements/${id}.html`

const OBLIGES = { core: 'the core layer', driver: 'the driver', both: 'the core layer and the driver' }

/** The thread has a page of its own; functions of Linux are named. */
const source = (text, page, statements) => linkStatements(escape(text), page, statements)
  .replace('the thread of May 2022', `<a href="${between(page, 'the-thread.html')}">the thread of May 2022</a>`)

/** Kinds of hardware that leave the statement out, by reason. */
const leftOut = ({ unless }, vendors) => {
  const reasons = new Map()
  if (unless === undefined) return reasons
  for (const { name, backends, manifests } of vendors) {
    for (const [index, backend] of backends.entries()) {
      const reason = unless(manifests[index], backend, {})
      if (reason !== undefined) reasons.set(reason, [...reasons.get(reason) ?? [], `${name}: ${backend.backend}`])
    }
  }
  return reasons
}

const list = (items) => `<ul>${items.map((each) => `<li>${each}</li>`).join('\n')}</ul>`

const breakerItem = ({ id, title, part, breaks }, statement) =>
  `<code>${escape(id)}</code>: ${escape(title)} <span class="note">(${escape(part)}${breaks[0] === statement ? ', and this statement must fail' : ''})</span>`

const saidSection = (said) => (said === undefined ? '' : `<p>What the suite says of <code>${escape(said.mutant.id)}</code> on ${escape(said.backend)}:</p>
<pre tabindex="0" class="said">${escape(said.reason)}</pre>`)

const filmSection = ({ mutant, shown: { text } }) => `<h2 id="film">The film of a mutant</h2>
<p><code>${escape(mutant.id)}</code> of ${escape(mutant.vendor.name)}: ${escape(mutant.title)}.</p>
<pre tabindex="0">${escape(text.join('\n'))}</pre>`

/** What mends it in general, and the film's change by the driver as it is. */
const fixSection = (fix, film) => (fix === undefined && film === undefined ? '' : `<h2 id="fix">The fix</h2>
${fix === undefined ? '' : `<p>${escape(fix.slice(0, 1).toUpperCase() + fix.slice(1))}.</p>`}
${film === undefined ? '' : `<p>The same change by ${escape(film.mutant.vendor.name)} as it is:</p>
<pre tabindex="0">${escape(film.shown.right.join('\n'))}</pre>`}`)

/**
 * `breakers` list the statement, and of one of them is `said` (what the suite says of it) and, where there is one, `film`; `fix` is what
 * mends it, where that is known; `written` its source; `told` are pages that name it, the contract with its sentence.
 */
export const statementPage = ({ statement, breakers, said, film, fix, written, told }, vendors, statements) => {
  const { id, says, obliges } = statement
  const path = pathOf(id)
  const sentence = says.slice(0, 1).toUpperCase() + says.slice(1)
  const without = [...leftOut(statement, vendors)]
  const first = breakers.toSorted((a, b) => Number(b.breaks[0] === id) - Number(a.breaks[0] === id))
  const html = `<h1 id="${id.toLowerCase()}">${id}</h1>
<p><strong>${escape(sentence)}.</strong></p>
<dl>
<dt>subject</dt><dd>${groupOf(id)}, ${escape(subjects[groupOf(id)] ?? '')}</dd>
<dt>who must</dt><dd>${OBLIGES[obliges]}</dd>
<dt>from</dt><dd>${source(statement.source, path, statements)}</dd>
<dt>run it</dt><dd><code>iommu conform --only ${id}</code></dd>
</dl>
<h2 id="story">Where it is told</h2>
${list(told.map(({ page, title, text }) => `<a href="${between(path, page)}">${escape(title)}</a>${text === undefined ? '' : `: ${escape(text)}`}`))}
<h2 id="case">The case that can fail</h2>
<p class="note">${escape(written.file)}, line ${written.line}</p>
<pre tabindex="0" class="ts"><code>${escape(written.text)}</code></pre>
<h2 id="mutants">What breaks it</h2>
<p>Mutants that may fail this statement; each is known to fail the first in its own list.</p>
${list(first.map((each) => breakerItem(each, id)))}
${saidSection(said)}
${film === undefined ? '' : filmSection(film)}
${fixSection(fix, film)}
${without.length === 0 ? '' : `<h2 id="without">Where it does not take part</h2>
${list(without.map(([reason, kinds]) => `${escape(reason)} <span class="note">(${escape(kinds.join('; '))})</span>`))}`}`
  return { path, title: `${id}: ${says}`, html }
}

/** The list of all, by subject. */
export const statementIndex = (all) => {
  const path = 'statements/index.html'
  const groups = new Map()
  for (const each of all) groups.set(groupOf(each.id), [...groups.get(groupOf(each.id)) ?? [], each])
  const html = `<h1 id="statements">Statements</h1>
<p>${all.length} sentences, each with a case that can fail and a mutant that makes it fail. Ids are never renumbered.</p>
${[...groups].map(([group, members]) => `<h2 id="${group.toLowerCase()}">${group}: ${escape(subjects[group] ?? '')}</h2>
<ul>${members.map(({ id, says }) => `<li><a href="${id}.html">${id}</a> ${escape(says)}</li>`).join('\n')}</ul>`).join('\n')}`
  return { path, title: 'Statements', html }
}
