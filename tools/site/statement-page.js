// One page for each statement: what it says, where that is from, the case that can fail, who breaks it, and the film of one.
import { groupOf, subjects } from '@iommu/conformance'
import { renderScenes } from '@iommu/film'
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

const breakerItem = ({ id, title, part, breaks }, statement) => {
  const must = breaks[0] === statement ? ', and this statement must fail' : ''
  return `<code>${escape(id)}</code>: ${escape(title)} <span class="note">(${escape(part)}${must})</span>`
}

const saidSection = (said) => (said === undefined ? '' : `<p>What the suite says of <code>${escape(said.mutant.id)}</code> on ${escape(said.on)}:</p>
<pre tabindex="0" class="said">${escape(said.reason)}</pre>`)

const block = (lines) => `<pre tabindex="0">${escape(lines.join('\n'))}</pre>`

/** Why a fault that the suite sees is in no picture. */
const NO_FILM = `There is none: up to where the suite sees the fault, all that the case asks of the driver and of hardware goes, step by step, as
it goes without the mutant. What is wrong is what is declared, said or remembered, and the case reads that.`

const filmSection = ({ change, scenes, said }) => `<h2 id="film">The film of a mutant</h2>
${change !== undefined ? `<p><code>${escape(change.mutant.id)}</code> of ${escape(change.mutant.vendor.name)}: ${escape(change.mutant.title)}.</p>
${block(change.shown.text)}` : scenes !== undefined ? `<p>The case as it runs with <code>${escape(said.mutant.id)}</code> (${escape(said.mutant.title)}) on ${escape(said.on)},
from a few steps before it goes another way (<code>&gt;</code>) to where it fails. A driver's calls are indented below the core layer's.</p>
${block(renderScenes(scenes.wrong))}` : `<p>${NO_FILM}</p>`}`

const sentenceOf = (text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`

/** What mends it in general, and the film's change by the driver as it is. */
const fixSection = (fix, { change, scenes, said }) => ((fix ?? change ?? scenes) === undefined ? '' : `<h2 id="fix">The fix</h2>
${fix === undefined ? '' : `<p>${escape(sentenceOf(fix))}.</p>`}
${change !== undefined ? `<p>The same change by ${escape(change.mutant.vendor.name)} as it is:</p>
${block(change.shown.right)}` : scenes !== undefined ? `<p>The same stretch of the case without the mutant, on ${escape(said.on)}:</p>
${block(renderScenes(scenes.right))}` : ''}`)

const headingsOf = (html) => [...html.matchAll(/<h2 id="([\w-]+)">([^<]*)<\/h2>/g)].map(([, id, text]) => ({ level: 2, id, text }))

/**
 * `breakers` list the statement, and of one of them is `said` (what the suite says of it) and the `film`: of one `change`, or else the
 * `scenes` of the case itself, or neither; `fix` is what mends it, where that is known; `written` its source; `told` are pages that name it,
 * the contract with its sentence.
 */
export const statementPage = ({ statement, breakers, said, film, fix, written, told }, vendors, statements) => {
  const { id, says, obliges } = statement
  const path = pathOf(id)
  const without = [...leftOut(statement, vendors)]
  const first = breakers.toSorted((a, b) => Number(b.breaks[0] === id) - Number(a.breaks[0] === id))
  const html = `<h1 id="${id.toLowerCase()}">${id}</h1>
<p><strong>${escape(sentenceOf(says))}.</strong></p>
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
${filmSection({ ...film, said })}
${fixSection(fix, { ...film, said })}
${without.length === 0 ? '' : `<h2 id="without">Where it does not take part</h2>
${list(without.map(([reason, kinds]) => `${escape(reason)} <span class="note">(${escape(kinds.join('; '))})</span>`))}`}`
  return { path, title: `${id}: ${says}`, html, headings: headingsOf(html) }
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
