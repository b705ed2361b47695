// What is mutated, and by which tests each room is judged.

export const drivers = ['intel-vtd', 'amd-vi', 'arm-smmuv3', 'riscv', 'legacy-nodefault']

/** Fast tests of a driver that say what it stores, flushes and answers. */
const behaviour = [
  'apply', 'plan', 'queue', 'faults', 'events', 'registers', 'words', 'formats', 'domains', 'transitions', 'beside-linux', 'failures',
  'devices', 'model', 'hardware', 'layouts',
]

/** Where a driver walks tables by itself, that is in its tables/ too. */
const walked = { 'legacy-nodefault': ['page-tables', 'transitions', 'domains'] }

/**
 * Rooms of a driver. `tables` are data: a title, a section and a note are said to people and change no bit, so strings there are
 * not mutated. Who confirms a field is, as the list that it is.
 */
export const rooms = {
  programming: { tests: behaviour, ours: ['loads'], excludedMutations: [] },
  domains: { tests: behaviour, ours: ['loads'], excludedMutations: [] },
  tables: { tests: ['layouts', 'capabilities'], ours: ['test/claims'], excludedMutations: ['StringLiteral'] },
}

/** The driver and the room that MUTATE names. */
export const chosen = () => {
  const [driver = '', room = ''] = (process.env.MUTATE ?? '').split('/')
  if (!drivers.includes(driver) || !(room in rooms)) {
    throw new RangeError(`MUTATE is to name a driver (${drivers.join(', ')}) and a room (${Object.keys(rooms).join(', ')}), as intel-vtd/programming; found ${process.env.MUTATE ?? 'nothing'}`)
  }
  const { tests, ...rest } = rooms[room]
  return { driver, room, tests: [...tests, ...(room === 'tables' ? walked[driver] ?? [] : [])], ...rest }
}
