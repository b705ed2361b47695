// The tables of docs/performance.md, as Markdown from what has been measured: nothing on that page is copied by hand.

const ratioOf = ({ ratio }) => (ratio === null ? '' : `${ratio.median.toFixed(1)}x`)
const nsOf = ({ ns }) => (ns < 10_000 ? ns.toFixed(1) : ns.toLocaleString('en', { maximumFractionDigits: 0 }))
const perSecond = ({ ns }) => Number((1e9 / ns).toPrecision(2)).toLocaleString('en')
const tableOf = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** Columns of the table of formats, by the names of rows. */
const operations = {
  'map one page': 'map 1', 'unmap one page': 'unmap 1', 'map a table of pages, per page': 'map run',
  'unmap a table of pages, per page': 'unmap run', 'map 1 GiB into new tables, per page': '1 GiB, new',
  'map one largest leaf': 'largest leaf', 'walk, in order': 'walk, in order', 'walk, random': 'random', 'walk, each from the one before': 'chain',
}

/** @param {readonly { subject: string, name: string }[]} results */
const subjectsOf = (results, test) => [...new Set(results.map(({ subject }) => subject))].filter(test)
const find = (results, subject, name) => results.find((each) => each.subject === subject && each.name === name)

const formatsTable = (results) => {
  const subjects = subjectsOf(results, (subject) => find(results, subject, 'map one page') !== undefined && subject !== 'memory in chunks')
  return tableOf(['format', ...Object.values(operations)], subjects.map((subject) => [subject, ...Object.keys(operations).map((name) => {
    const row = find(results, subject, name)
    return `${nsOf(row)} (${ratioOf(row)})`
  })]))
}

const reached = ({ goal, ratio: { median, least } }) =>
  (goal === null ? '' : median <= goal ? 'reached' : least <= goal ? 'reached in its best round' : 'not reached')

const goalsTable = (results) => tableOf(['operation', 'ns', 'C', 'ratio', 'least', 'most', 'goal', ''],
  results.filter(({ subject, ratio }) => ratio !== null && ['VT-d second stage', 'beyond', 'memory in chunks', 'IOTLB'].includes(subject)).map((row) => [
    row.subject === 'VT-d second stage' ? row.name : `${row.subject}: ${row.name}`,
    nsOf(row), row.peerNs.toFixed(1), ratioOf(row), `${row.ratio.least.toFixed(1)}x`, `${row.ratio.most.toFixed(1)}x`,
    row.goal === null ? '' : `${row.goal}x`, reached(row),
  ]))

const driversTable = (results) => {
  const subjects = subjectsOf(results, (subject) => subject.startsWith('driver-'))
  const names = [...new Set(results.filter(({ subject }) => subjects.includes(subject)).map(({ name }) => name))]
  return tableOf(['per second', ...subjects], names.map((name) => [name, ...subjects.map((subject) => {
    const row = find(results, subject, name)
    return row === undefined ? '' : row.ratio === null ? perSecond(row) : `${perSecond(row)} (${ratioOf(row)})`
  })]))
}

const otherTable = (results) => tableOf(['', 'ns', 'per second'],
  results.filter(({ subject, ratio }) => ratio === null && !subject.startsWith('driver-')).map((row) => [`${row.subject}: ${row.name}`, nsOf(row), perSecond(row)]))

/** What stands between `<!-- bench: NAME -->` and `<!-- end -->` on the page, by its name. */
export const sections = ({ node, v8, cpu, rounds }, results, facts) => ({
  machine: `Node ${node.slice(1)} (V8 ${v8}), ${cpu}, ${rounds} rounds; medians, in nanoseconds and as ratios to C.`,
  formats: formatsTable(results),
  goals: goalsTable(results),
  memory: facts.map(({ says }) => says).join('\n'),
  drivers: driversTable(results),
  other: otherTable(results),
})

/** The page with its sections replaced. Throws where it has no place for one. */
export const rewritten = (page, parts) => Object.entries(parts).reduce((text, [name, body]) => {
  const place = new RegExp(`(<!-- bench: ${name} -->\\n)[^]*?(<!-- end -->)`)
  if (!place.test(text)) throw new Error(`the page has no place for "${name}": <!-- bench: ${name} --> ... <!-- end -->`)
  return text.replace(place, (_, from, to) => `${from}\n${body}\n\n${to}`)
}, page)
