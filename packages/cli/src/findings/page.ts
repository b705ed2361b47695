// A finding's page, and the list of all pages, as Markdown: what is known of it and what was just seen, nothing else.
import { allStatements } from '@iommu/conformance'
import { evidenceOf } from './finding.js'
import type { Evidence, Finding, Rerun } from './finding.js'

const KNOWN: Readonly<Record<Evidence, string>> = {
  run: 'run: seen on the real thing',
  model: 'model: what the source does, in its order, on a model of the hardware',
  reading: 'reading: the source says so, and nothing here has reproduced it',
}

const ruleOf = ({ statement }: Finding): string => {
  const rule = allStatements.find(({ id }) => id === statement)
  return rule === undefined ? statement : `${rule.id}: ${rule.says}`
}

const filmOf = ({ look }: Finding, { observed, film, why }: Rerun): string[] => [
  ...(why === undefined ? observed : [`not run: ${why}`]).map((each) => `- ${each}`),
  ...(film === undefined ? [] : ['', '## The film', '', ...(look === undefined ? [] : [look, '']), '```text', ...film.map((line) => line.trimEnd()), '```']),
]

/** A page may be written without a rerun where the finding was not run; then it says why. */
export const pageOf = (finding: Finding, rerun: Rerun): string => {
  const { id, title, subject, source, happens, matters, fix } = finding
  const evidence = evidenceOf(finding)
  return [
    `# ${title}`,
    '',
    '| | |', '|---|---|',
    `| subject | ${subject} |`,
    `| statement | ${ruleOf(finding)} |`,
    `| where | ${source} |`,
    `| known by | ${KNOWN[evidence]} |`,
    '',
    ...happens.flatMap((each) => [each, '']),
    ...(evidence === 'reading' ? [] : [
      '## Reproduced', '', '```sh', `npm run iommu -- findings ${id}`, '```', '',
      ...filmOf(finding, rerun), '',
    ]),
    '## Why it matters', '', matters, '',
    '## What a fix looks like', '', fix, '',
  ].join('\n')
}

/** The list of all pages. */
export const overviewOf = (findings: readonly Finding[]): string => [
  '# Findings',
  '',
  'What the suite, its variants and the comparison with QEMU have found outside of this repository. Each is run again by',
  '`npm run iommu -- findings`, and by the tests: one that does not show any more is an error here. The pages are written by',
  '`iommu findings --pages docs/findings`, from what that run has seen.',
  '',
  '*run*: seen on the real thing. *model*: what the source does, in its order, on a model of the hardware. *reading*: the source says so.',
  '',
  '| finding | subject | statement | known by |',
  '|---|---|---|---|',
  ...findings.map((each) =>
    `| [${each.title}](${each.id}.md) | ${each.subject} | ${/^C-/.test(each.statement) ? each.statement : 'the specification'} | ${evidenceOf(each)} |`),
  '',
].join('\n')
