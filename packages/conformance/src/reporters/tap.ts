// The report as TAP, version 13.
import type { Report } from '../run.js'

const oneLine = (text: string): string => text.replace(/#/g, '\\#').replace(/\s+/g, ' ')

export const renderTap = ({ results }: Report): string => [
  'TAP version 13',
  `1..${results.length}`,
  ...results.flatMap(({ statement, driver, backend, title, status, reason = '' }, index) => {
    const name = `${index + 1} - ${oneLine(`${statement} ${driver}, ${backend}: ${title}`)}`
    if (status === 'failed') return [`not ok ${name}`, '  ---', `  message: ${JSON.stringify(reason)}`, '  ...']
    return [`ok ${name}${status === 'passed' ? '' : ` # SKIP ${oneLine(reason)}`}`]
  }),
  '',
].join('\n')
