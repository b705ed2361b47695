// What happens to a DMA: the one routine for all seven, with choices where hardware may have kept a copy.
//
//   source ─▶ registers or window table ─┬─▶ blocked
//                                        ├─▶ identity
//                                        ├─▶ one page or window
//                                        └─▶ TLB ─▶ page tables, line by line where lines are kept
import { passes, permissionsOf, sizeOfPage, takes } from '@iommu/hardware'
import type { DmaRequest, DmaSight, Fault, Outcome } from '@iommu/hardware'
import { loadWord } from '../tables/words.js'
import { loaderOf, walkShape } from '../tables/shape.js'
import type { LoadEntry, Shape } from '../tables/shape.js'
import { fault } from './part.js'
import type { Inside, Keeping, Leaf, LineCache, Part, Route } from './part.js'

type Sight = DmaSight<never, Fault>

const NO_PASIDS = fault(-1, 'the bus carries no PASIDs', false)
const NO_ATS = fault(-2, 'the bus carries no translation requests', false)
const TOO_WIDE = fault(-3, 'the bus has no such address', false)

/** An address without a page: kept where hardware keeps what is absent. */
const NOTHING: Leaf = { physical: -1n, shift: 12, read: false, write: false }

const NONE = Object.freeze({})

const blocked = (why: Fault): Outcome => ({ result: 'blocked', fault: why })

const answer = (leaf: Leaf, request: DmaRequest, tag: string, denied: Fault): Outcome => {
  if (!(request.access === 'write' ? leaf.write : leaf.read)) return blocked(denied)
  const pageSize = sizeOfPage(leaf.shift)
  return {
    result: 'translated', address: leaf.physical + (request.address & (pageSize - 1n)), tag, attributes: NONE,
    permissions: permissionsOf(leaf.read, leaf.write), pageSize,
  }
}

/** Reads entries by the line: a kept line answers for all entries in it. */
const throughLines = (lines: LineCache, shape: Shape, { memory }: Inside, sight: Sight): LoadEntry => (address) => {
  const line = address & ~BigInt(lines.bytes - 1)
  const kept = sight.cached ? lines.get(line) : undefined
  const words = kept !== undefined && takes(sight) ? kept
    : Array.from({ length: lines.bytes / 8 }, (_, index) => memory.walker.load64(line + BigInt(index * 8)))
  if (sight.fills && words !== kept) lines.keep(line, words)
  return loadWord({ load64: (at) => words[Number(at - line) / 8] as bigint }, address, shape.form)
}

const said = { empty: 'nothing', invalid: 'a value that hardware refuses', table: 'table', page: 'page' } as const

const walk = (inside: Inside, keeping: Keeping, route: Route & { to: 'tables' }, request: DmaRequest, sight: Sight): Leaf | 'invalid' => {
  const { shape, root } = route
  const load = keeping.lines === undefined ? loaderOf(inside.memory.walker, shape) : throughLines(keeping.lines, shape, inside, sight)
  const visited = walkShape(shape, load, root, request.address)
  for (const { level, address, word, meaning } of visited) {
    sight.steps?.push({ entry: level.name, address, words: [word], note: said[meaning.is] })
  }
  let { read, write } = route
  for (const { meaning } of visited) {
    if (meaning.is === 'invalid') return 'invalid'
    if (meaning.is === 'empty') return NOTHING
    read &&= meaning.read
    write &&= meaning.write
    if (meaning.is === 'page') return { physical: meaning.physical, shift: meaning.shift, read, write }
  }
  return NOTHING
}

const throughTables = (inside: Inside, keeping: Keeping, route: Route & { to: 'tables' }, request: DmaRequest, sight: Sight): Outcome => {
  const frame = Number(request.address >> 12n)
  const kept = sight.cached ? inside.translations.lookup(route.tag, frame) : undefined
  const leaf = kept !== undefined && takes(sight) ? kept : walk(inside, keeping, route, request, sight)
  if (leaf === 'invalid') return blocked(route.invalid)
  const absent = leaf.physical === NOTHING.physical
  if (sight.fills && leaf !== kept && (!absent || keeping.absent)) inside.translations.keep(route.tag, frame, leaf.shift, leaf)
  return absent ? blocked(route.absent) : answer(leaf, request, route.named, route.denied)
}

const unitAnswer = (inside: Inside, keeping: Keeping, part: Part, request: DmaRequest, sight: Sight): Outcome => {
  if (request.kind !== 'untranslated') return blocked(NO_ATS)
  const route = part.route(request, (step) => sight.steps?.push(step))
  if (request.pasid !== undefined) return blocked(NO_PASIDS)
  if (request.address >> BigInt(part.busBits) !== 0n) return blocked(TOO_WIDE)
  switch (route.to) {
    case 'blocked': return blocked(route.fault)
    case 'identity': return passes(request.address, route.why, NONE)
    case 'page': return answer(route.leaf, request, route.tag, route.denied)
    case 'tables': return throughTables(inside, keeping, route, request, sight)
    default: return route satisfies never
  }
}

/** The answer to a request, as the sight allows it to be given. */
export const translate = (inside: Inside, keeping: Keeping, part: Part, request: DmaRequest, sight: Sight): Outcome => {
  const outcome = unitAnswer(inside, keeping, part, request, sight)
  if (outcome.result === 'blocked' && outcome.fault?.recorded === true) sight.log?.(request, outcome.fault)
  return outcome
}
