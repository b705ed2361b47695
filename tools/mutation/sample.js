// A sample of a room: with SAMPLE=0.2 each mutant is run with that probability, by a hash of what it is and of SEED, so that the
// same ones are run again. To Stryker it is a checker that turns the others down.
const rate = Number(process.env.SAMPLE ?? 1)
const seed = process.env.SEED ?? '1'

/** FNV-1a, 32 bits, with a last mix so that near keys fall far apart. */
const hash = (text) => {
  let value = 0x811c9dc5
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

/** Whether a mutant is in the sample. Its place is counted from its own file, so that it does not matter where that lies. */
const isChosen = ({ mutatorName, replacement, location: { start, end } }) =>
  hash([seed, mutatorName, replacement, start.line, start.column, end.line, end.column].join(' ')) / 2 ** 32 < rate

const create = () => ({
  init: async () => undefined,
  check: async (mutants) => Object.fromEntries(mutants.map((each) =>
    [each.id, isChosen(each) ? { status: 'passed' } : { status: 'compileError', reason: 'not in the sample' }])),
})
create.inject = []

export const strykerPlugins = [{ kind: 'Checker', name: 'sample', factory: create }]
