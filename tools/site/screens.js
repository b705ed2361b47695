// What documentation shows, beside what is printed: blocks of a page, and screens that leave lines out.
import { readFileSync } from 'node:fs'

/** Every fenced block of a page: its language, what stands behind that, its text. */
export const blocksOf = (markdown) => [...markdown.matchAll(/^```(\w+)(?: (.*))?\n([\s\S]*?)^```$/gm)]
  .map(([, language, of = '', text]) => ({ language, of, text }))

/** Commands of a screen, each with what it shows. */
export const commandsOf = (text) => text.split(/^\$ /m).slice(1).map((part) => {
  const [command, ...shown] = part.replace(/\n+$/, '').split('\n')
  return { command, shown }
})

const isGap = (line) => line.trim() === '...'
/** A line may end in " ..." where its rest is left out. */
const fits = (shown, printed) => printed !== undefined && (shown.endsWith(' ...') ? printed.startsWith(shown.slice(0, -4)) : shown === printed)

/**
 * The first line that is shown and not printed, undefined where there is none. A line "..." stands for any lines; what stands behind it
 * is looked for from there on. Without one behind it, the end of the screen is the end of what is printed.
 */
export const missingLine = (shown, text) => {
  const printed = text.replace(/\n+$/, '').split('\n')
  let at = 0
  let gap = false
  for (const line of shown) {
    if (isGap(line)) {
      gap = true
      continue
    }
    const found = gap ? printed.findIndex((each, index) => index >= at && fits(line, each)) : at
    if (found < 0 || !fits(line, printed[found])) return line
    at = found + 1
    gap = false
  }
  return gap || at >= printed.length ? undefined : `the end; "${printed[at]}" follows`
}

/** The screen of a command in a file. Throws where the file shows none. */
export const screenOf = (file, command) => {
  const screens = blocksOf(readFileSync(file, 'utf8')).filter(({ language }) => language === 'console').flatMap(({ text }) => commandsOf(text))
  const found = screens.find((each) => each.command === command)
  if (found === undefined) throw new Error(`${file} shows no screen of ${command}`)
  return found.shown
}
