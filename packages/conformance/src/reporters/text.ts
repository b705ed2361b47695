// The report for people: one line per group when green, a picture when red. Colour is left to the caller.
import { groupOf } from '../statement.js'
import type { MutantResult } from '../judge.js'
import type { Note, Report, Result } from '../run.js'

/** What a piece of text stands for. Colour never carries meaning alone. */
export type Role = 'title' | 'passed' | 'failed' | 'skipped' | 'note'
export type Paint = (role: Role, text: string) => string

const plain: Paint = (_role, text) => text

/** What the groups are about, in the order in which they are reported: group -> a few words. */
export const subjects: Readonly<Record<string, string>> = {
  DRV: 'what makes a driver a modern one',
  ATTACH: 'any domain on any requester id, in any order',
  BLOCK: 'a static domain in which everything faults',
  IDENT: 'a domain in which every address is itself',
  DETACH: 'leaving a domain is setting another one',
  OWN: 'who may use a group\'s DMA',
  GROUP: 'members follow their group; its default domain',
  ROLL: 'what is left when something fails',
  REL: 'how a device leaves',
  DEFER: 'devices that must not be touched yet',
  RESV: 'memory that devices use all the time',
  RESET: 'a device in reset is blocked, and comes back',
  PASID: 'any domain on any PASID; blocked removes it',
  SVA: 'address spaces bound to devices',
  MAP: 'what a mapping is',
  UNMAP: 'how mappings go, and when hardware forgets them',
  TLB: 'a flush takes its own domain, and leaves others',
  I2P: 'what a domain says of itself',
  FREE: 'what is given back, and who may still hold it',
  WALK: 'whatever is called, in whatever order',
}

const of = (results: readonly Result[], status: Result['status']): Result[] => results.filter((each) => each.status === status)

const groupLine = (group: string, results: readonly Result[], paint: Paint): string => {
  const failed = of(results, 'failed').length
  const passed = of(results, 'passed').length
  const mark = failed > 0 ? paint('failed', '✗') : passed > 0 ? paint('passed', '✓') : paint('skipped', '–')
  const said = [['not-declared', 'not declared'], ['unavailable', 'unavailable']].flatMap(([status, words]) => {
    const many = results.filter((each) => each.status === status).length
    return many > 0 ? [`${many} ${words}`] : []
  })
  const count = `${passed}${failed > 0 ? `, ${failed} failed` : ''}`
  return `  ${group.padEnd(7)} ${mark} ${count.padStart(5)}  ${subjects[group] ?? ''}`
    + (said.length > 0 ? paint('skipped', `  (${said.join(', ')})`) : '')
}

const failure = ({ statement, backend, title, reason }: Result, paint: Paint): string[] => [
  '', `  ${paint('failed', '✗')} ${paint('title', statement)} on ${backend}`, `    ${title}`, `    ${reason ?? ''}`,
]

/** Why statements did not run, each reason once, with what it kept out. */
const reasons = (results: readonly Result[], paint: Paint): string[] => {
  const kept = new Map<string, Set<string>>()
  for (const { reason = '', statement } of results.filter(({ status }) => status === 'not-declared' || status === 'unavailable')) {
    kept.set(reason, (kept.get(reason) ?? new Set()).add(statement))
  }
  return [...kept].map(([reason, statements]) => {
    const all = [...statements]
    const groups = [...new Set(all.map(groupOf))].map((group) => {
      const inside = all.filter((each) => groupOf(each) === group)
      return inside.length === 1 ? (inside[0] as string) : `${group} (${inside.length})`
    })
    return paint('note', `  – ${reason}: ${groups.join(', ')}`)
  })
}

const number = (value: number): string => value.toLocaleString('en-US')

/** One driver's part of a report. */
const driverPart = (driver: string, report: Report, paint: Paint): string[] => {
  const own = <T extends { readonly driver: string }>(all: readonly T[]): T[] => all.filter((each) => each.driver === driver)
  const [results, counts, notes] = [own(report.results), own(report.kinds), own(report.notes)]
  const [first] = results
  const kinds = [...new Set(results.map(({ backend }) => backend))]
  const groups = [...new Set(results.map(({ statement }) => groupOf(statement)))]
  const skipped = reasons(results, paint)
  const width = counts.length === 0 ? 0 : Math.max(...kinds.map(({ length }) => length))
  return [
    `${paint('title', driver)} · ${first?.profile ?? ''} · on ${first?.machine === 'model' ? 'the model' : first?.machine ?? ''}, as ${kinds.length} ${kinds.length === 1 ? 'kind' : 'kinds'} of hardware:`,
    ...kinds.map((kind) => {
      const here = results.filter(({ backend }) => backend === kind)
      const mark = of(here, 'failed').length > 0 ? paint('failed', '✗') : of(here, 'passed').length > 0 ? paint('passed', '✓') : paint('skipped', '–')
      const count = counts.find(({ backend }) => backend === kind)
      const said = count === undefined ? '' : paint('note', `  ${number(count.transitions)} transitions, ${number(count.stores)} stores`)
      return `  ${mark} ${kind.padEnd(width)}${said}`.trimEnd()
    }),
    '',
    ...groups.map((group) => groupLine(group, results.filter(({ statement }) => groupOf(statement) === group), paint)),
    ...(skipped.length > 0 ? ['', ...skipped] : []),
    ...(notes.length > 0 ? ['', ...noteLines(notes).map((line) => paint('note', line))] : []),
    ...of(results, 'failed').flatMap((each) => failure(each, paint)),
    '',
  ]
}

/** The closing line is alone on its line, so that it can be counted. */
export const closingLine = ({ passed, failed, skipped }: { readonly passed: number; readonly failed: number; readonly skipped: number }): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`

/** What was looked at, and by what means: counted, never estimated. */
const countLines = ({ totals: { stores, transitions, failuresInjected, adversary, walks }, results, quick }: Report): string[] => {
  const { changes, copies, looks, invalidations: { needed, tooWide, needless, mandated } } = adversary
  const statements = new Set(results.map(({ statement }) => statement)).size
  return [
    `${number(statements)} ${statements === 1 ? 'statement' : 'statements'}, ${number(transitions)} transitions, ${number(stores)} stores watched, ${number(failuresInjected)} failures injected`,
    ...(walks.walks === 0 ? [] : [
      `${number(walks.walks)} random walks of ${number(walks.commands)} calls, seed ${walks.seeds.join(', ')}`,
    ]),
    ...(changes === 0 ? [] : [
      `against hardware that may look after every step: ${number(changes)} changes, ${number(looks)} looks, ${number(copies)} copies explored`,
      `invalidations: ${number(needed)} needed (${number(tooWide)} of them wider than needed), ${number(needless)} needless, ${number(mandated)} mandated`,
    ]),
    ...of(results, 'failed').slice(0, 1).flatMap(({ statement }) => [
      `the first failure alone: the same command with --only ${statement}`,
      `what breaks it, and what usually mends it: iommu explain ${statement}`,
    ]),
    ...(quick === undefined ? [] : [`quick: on ${quick.kinds} of ${quick.of} kinds of hardware, the plainest of each driver; all of them: iommu conform`]),
  ]
}

/** What a finding lists, at the most; the report as data has all of it. */
const SHOWN = 3

const shorten = (says: string): string => {
  const parts = says.split('; ')
  return parts.length <= SHOWN ? says : `${parts.slice(0, SHOWN).join('; ')}; and ${parts.length - SHOWN} more`
}

/** Findings that are no failures, each sentence once, with the kinds of hardware that it is about. */
const noteLines = (notes: readonly Note[]): string[] => {
  const kinds = new Map<string, string[]>()
  for (const { says, backend } of notes) kinds.set(says, [...(kinds.get(says) ?? []), backend])
  return [...kinds].map(([says, backends]) => `  · ${backends.join(', ')}: ${shorten(says)}`)
}

export const renderText = (report: Report, paint: Paint = plain): string => [
  ...[...new Set(report.results.map(({ driver }) => driver))].flatMap((driver) =>
    driverPart(driver, report, paint)),
  ...countLines(report).map((line) => paint('note', line)),
  closingLine(report.totals),
  '',
].join('\n')

/** The table of mutants: which statement caught each, and how. */
export const renderMutants = (results: readonly MutantResult[], paint: Paint = plain): string => {
  const width = Math.max(...results.map(({ id }) => id.length))
  const line = ({ id, title, breaks, caughtBy, caught, harmless }: MutantResult): string[] => {
    const [first] = breaks as [string]
    if (harmless !== undefined && caught) return [`  – ${id.padEnd(width)}  no mistake here: ${harmless}`, paint('note', `    ${title}`)]
    const why = caughtBy.find(({ statement }) => statement === first)
    const others = caughtBy.length - (why === undefined ? 0 : 1)
    const head = `  ${caught ? paint('passed', '✓') : paint('failed', '✗')} ${id.padEnd(width)}  ${first}${others > 0 ? ` and ${others} more` : ''}`
    if (caught) return [head, paint('note', `    ${title}`)]
    const strangers = caughtBy.filter(({ statement }) => !breaks.includes(statement)).map(({ statement }) => statement)
    return [head, `    ${title}`,
      why === undefined ? `    ${first} holds, and must not` : `    not expected to fail: ${strangers.join(', ')}`]
  }
  const parts = [['driver', 'Drivers, broken from outside'], ['variant', 'This driver, broken inside'], ['core', 'The core layer, broken']] as const
  const harmless = results.filter((each) => each.caught && each.harmless !== undefined).length
  const caught = results.filter((each) => each.caught).length - harmless
  return [
    ...parts.flatMap(([part, title]) => {
      const here = results.filter((each) => each.part === part)
      return here.length === 0 ? [] : [paint('title', title), ...here.flatMap(line), '']
    }),
    `${caught} caught, ${results.length - caught - harmless} not caught${harmless > 0 ? `, ${harmless} no mistake on that hardware` : ''}`,
    '',
  ].join('\n')
}

/** One line for each deviation of a profile: what is done, the statement that it breaks, and what was observed; then where it is from. */
export const renderDeviations = ({ totals, results }: Report, paint: Paint = plain): string => [
  ...[...new Set(results.map(({ driver }) => driver))].flatMap((driver) => {
    const here = results.filter((each) => each.driver === driver)
    return [
      `${paint('title', driver)} · ${here[0]?.profile ?? ''} · what is done otherwise than the contract says:`,
      ...here.flatMap(({ backend, statement, status, reason = '', deviation }) => [
        `  ${status === 'passed' ? paint('passed', '✓') : paint('failed', '✗')} ${deviation?.does ?? ''} → ${paint('title', statement)} on ${backend}: ${reason}`,
        paint('note', `    ${deviation?.source ?? ''}`),
      ]),
      '',
    ]
  }),
  `${totals.passed} as described, ${totals.failed} not`,
  '',
].join('\n')
