// The report as JUnit XML.
import { groupOf } from '../statement.js'
import type { Report, Result } from '../run.js'

const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '?')

const testCase = ({ driver, backend, statement, title, status, reason = '' }: Result): string => {
  const name = escape(`${statement} ${title}`)
  const open = `    <testcase classname="${escape(`${driver}.${backend}.${groupOf(statement)}`)}" name="${name}"`
  if (status === 'passed') return `${open}/>`
  return `${open}>${status === 'failed' ? `<failure message="${escape(reason)}"/>` : `<skipped message="${escape(reason)}"/>`}</testcase>`
}

export const renderJunit = ({ totals, results }: Report): string => {
  const suites = [...new Set(results.map(({ driver, backend }) => `${driver}, ${backend}`))]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${results.length}" failures="${totals.failed}" skipped="${totals.skipped}">`,
    ...suites.flatMap((suite) => {
      const here = results.filter(({ driver, backend }) => `${driver}, ${backend}` === suite)
      const count = (status: Result['status']): number => here.filter((each) => each.status === status).length
      return [
        `  <testsuite name="${escape(suite)}" tests="${here.length}" failures="${count('failed')}" skipped="${here.length - count('failed') - count('passed')}">`,
        ...here.map(testCase),
        '  </testsuite>',
      ]
    }),
    '</testsuites>',
    '',
  ].join('\n')
}
