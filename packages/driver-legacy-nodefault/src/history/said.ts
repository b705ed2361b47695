// What is said of a classification, in the words that a terminal and a page share.
import type { Bits, Classification } from './classify.js'
import type { Effect } from './subject.js'

export const EFFECTS: readonly Effect[] = ['blocked', 'identity', 'none', 'platform', 'mixed']

/** Whether the guess of 2022 held: "yes", "no", or "-" where there was none. */
export const heldSaid = ({ guessHeld }: Classification): string => (guessHeld === null ? '-' : guessHeld ? 'yes' : 'no')

/** Today's static domains, each with what it was found to do where that is not its name. */
export const todaySaid = ({ linux73: { detach, blocked, identity } }: Classification): string => {
  const spell = (name: 'blocked' | 'identity', effect: Effect | undefined): string[] =>
    (effect === undefined ? [] : [effect === name ? name : `${name} (does: ${effect})`])
  const domains = [...spell('blocked', blocked), ...spell('identity', identity)]
  return domains.length > 0 ? domains.join(', ') : detach === 'platform' ? 'platform' : 'nothing'
}

const count = (all: readonly Classification[], effect: Effect): number => all.filter((each) => each.effect === effect).length

/** How many of the thread's drivers do what, and how many guesses held. */
export const tallySaid = (all: readonly Classification[]): string => {
  const thread = all.filter(({ list }) => list !== 'not in the thread')
  const guesses = thread.filter(({ guessHeld }) => guessHeld !== null)
  return `Of the thread's ${thread.length}: ${EFFECTS.filter((effect) => count(thread, effect) > 0).map((effect) => `${effect} ${count(thread, effect)}`).join(', ')}. `
    + `Of ${guesses.length} guesses ${guesses.filter(({ guessHeld }) => guessHeld === true).length} held.`
}

/** One driver in full: label and text of each line. */
export const classifiedRows = (each: Classification, bits?: Bits): (readonly [label: string, text: string])[] => {
  const { linux73 } = each
  return [
    ['body', each.body],
    ['seen', each.evidence],
    ['guess', each.guess2022 === null ? 'none' : `${each.guess2022}${each.guessHeld === null ? '' : each.guessHeld ? ': it held' : ': it did not hold'}`],
    ['7.3.4', `detach is ${linux73.detach}; ${todaySaid(each)}${linux73.release === undefined ? '' : `; release ${linux73.release}`}${linux73.default === undefined ? '' : `; default ${linux73.default}`}`],
    ...each.hazards.map(({ title, shown, cured }) =>
      ['hazard', `${title}: ${shown ? 'shown' : 'not shown'}${cured ? ', and gone with the right steps' : ', and still there with the right steps'}`] as const),
    ...(bits === undefined ? [] : [['bits', `${bits.written} written, ${bits.decisive.length} decide alone${
      bits.decisive.slice(0, 4).map(({ where, bit, field, otherwise }) => `; ${where} bit ${bit}${field === undefined ? '' : ` (${field})`}: otherwise ${otherwise}`).join('')}`] as const]),
    ['source', each.source],
    ...(each.inferred === undefined ? [] : [['inferred', each.inferred] as const]),
  ]
}
