// Vectors of transitions: two versions of an entry, one legal order of stores and commands between them, hitless or not.
import { readFileSync } from 'node:fs'
import { findEntry, planChange } from '@iommu/inspect'

const fixture = (driver, name) => JSON.parse(readFileSync(new URL(`../../packages/${driver}/test/fixtures/${name}.json`, import.meta.url), 'utf8'))

const word = (value) => `0x${value.toString(16).padStart(16, '0')}`
const padded = (words) => [...words.map(BigInt), ...Array.from({ length: 8 - words.length }, () => 0n)]

/** Bits that must all be 1 for the entry to answer DMA. */
const LIVE = { 'vtd.context': [0], 'vtd.pasid': [0], 'amd.dte': [0, 1], 'smmuv3.ste': [0], 'smmuv3.cd': [31], 'riscv.dc-base': [0], 'riscv.pc': [0] }
const isLive = (entry, words) => LIVE[entry].every((bit) => ((words[Math.floor(bit / 64)] >> BigInt(bit % 64)) & 1n) === 1n)

/**
 * What somebody outside did: stores that change something as "index=word", one for each word; "sync" for what is waited
 * for. `hitless`: whether the entry answered DMA after every store.
 */
const replay = (entry, from, steps) => {
  const now = [...from]
  let hitless = isLive(entry, from)
  const stores = steps.flatMap((step) => {
    if (step === 'sync') return ['sync']
    const changed = step.words.flatMap((value, index) => (now[step.index + index] === value ? [] : [`${step.index + index}=${value.toString(16)}`]))
    step.words.forEach((value, index) => { now[step.index + index] = value })
    hitless &&= isLive(entry, now)
    return changed
  })
  return { now, hitless, stores }
}

const smmu = () => {
  const { entries, records } = fixture('driver-arm-smmuv3', 'linux-transitions')
  const wordsOf = (index) => padded(entries[index].split(' ').map((each) => `0x${each}`))
  // Those of Linux's own unit tests come first; of the others every twelfth.
  return records.filter(([id], index) => id < 29 || index % 12 === 0).map(([, kind, from, to, , steps, what]) => ({
    entry: `smmuv3.${kind}`, from: wordsOf(from), to: wordsOf(to), says: what.replace(/^arm_smmu_\w+: /, ''), about: { source: 0x20, pasid: 0 },
    steps: steps === '' ? [] : steps.split(' ').map((step) => {
      const [index, value] = step.split('=')
      return step === 'sync' ? 'sync' : { index: Number(index), words: [BigInt(`0x${value}`)] }
    }),
  }))
}

const amd = () => fixture('driver-amd-vi', 'linux-transitions')
  .filter(({ ats }, index) => !ats && index % 2 === 0)
  .map(({ from, to, note, deviceId, steps }) => ({
    entry: 'amd.dte', from: from.map(BigInt), to: to.map(BigInt), says: note, about: { source: Number(deviceId), pasid: 0 },
    steps: steps.flatMap((step) => (step === 'completion-wait' ? ['sync']
      : step.store128 === undefined ? [] : [{ index: step.store128.index, words: step.store128.values.map(BigInt) }])),
  }))

const vtd = () => fixture('driver-intel-vtd', 'linux-transitions')
  .filter(({ hw, rc }) => rc === 0 && hw.coherent && !hw.cachingMode && !hw.rwbf && !hw.ats)
  .map(({ from, to, note, pasid, steps }) => ({
    entry: 'vtd.pasid', from: from.map(BigInt), to: to.map(BigInt), says: note, about: { source: 0x3b08, pasid },
    steps: steps.flatMap((step) => (step.invalidate !== undefined ? ['sync']
      : step.store === undefined ? [] : [{ index: step.store.index, words: [BigInt(step.store.value)] }])),
  }))

/** All ordered pairs of worked examples of an entry: words that somebody outside has read, and changes that nobody outside made. */
const pairs = (driver, entry, about, without = /^$/) => {
  const states = fixture(driver, 'worked').filter((each) => each.entry === entry && !without.test(each.what))
  const plain = (what) => what.replace(/^\d+[.:] /, '')
  return states.flatMap((from) => states.filter((to) => to !== from).map((to) => ({
    entry, from: from.words.map(BigInt), to: to.words.map(BigInt), says: `${plain(from.what)} -> ${plain(to.what)}`, about,
  })))
}

const KNOWN = {
  smmuv3: smmu,
  amd,
  // Linux refuses to set up a PASID entry over a present one.
  vtd: () => [
    ...vtd(),
    ...pairs('driver-intel-vtd', 'vtd.pasid', { source: 0x3b08, pasid: 5 }, /dirty|5-level|page snoop/),
    ...pairs('driver-intel-vtd', 'vtd.context', { source: 0x3b08, pasid: 0 }),
  ],
  riscv: () => ['riscv.dc-base', 'riscv.pc'].flatMap((entry) => pairs('driver-riscv', entry, { source: 0x110, pasid: 0x23 }, /nested|PD20/)),
}

const spellStep = (step) => (step.do === 'store' ? { do: 'store', index: step.index, words: step.words }
  : step.do === 'invalidate' ? { do: 'invalidate', commands: step.commands.map(({ words }) => words) } : { do: step.do })

/** Throws where the plan does not end in `to`, or where it is hitless and the one outside is not, or the other way round. */
const transitionVector = async ({ entry, from, to, says, about, steps }, index) => {
  const plan = await planChange(await findEntry(entry), from, to, about)
  const ours = replay(entry, from, plan.steps.flatMap((step) =>
    (step.do === 'store' ? [{ index: step.index, words: step.words.map(BigInt) }] : step.do === 'invalidate' ? ['sync'] : [])))
  const said = `${entry}, ${says}`
  if (ours.now.join() !== to.join()) throw new Error(`${said}: the plan ends in ${ours.now.map(word)}`)
  if (ours.hitless !== plan.hitless) throw new Error(`${said}: hitless is ${plan.hitless} in the plan, and ${ours.hitless} by its stores`)
  const outside = steps === undefined ? undefined : replay(entry, from, steps)
  if (outside !== undefined && (outside.now.join() !== to.join() || outside.hitless !== plan.hitless)) {
    throw new Error(`${said}: hitless is ${plan.hitless} here, ${outside.hitless} outside`)
  }
  const only = (all) => all.filter((step) => step !== 'sync').join()
  const unconfirmed = outside === undefined ? ['hitless', 'steps']
    : only(outside.stores) !== only(ours.stores) ? ['steps'] : plan.steps.some((step) => step.do === 'invalidate') ? ['commands'] : []
  return {
    id: `transition/${entry}#${index + 1}`, kind: 'transition', says,
    given: {
      entry, from: from.map(word), to: to.map(word), live: LIVE[entry], requesterId: `0x${about.source.toString(16)}`, pasid: about.pasid,
    },
    result: { hitless: plan.hitless, steps: plan.steps.map(spellStep) },
    confirmedBy: outside === undefined ? [] : ['linux'], unconfirmed,
  }
}

export const transitionVectors = async (vendor) => {
  const counts = new Map()
  const vectors = []
  for (const change of KNOWN[vendor]()) {
    const index = counts.get(change.entry) ?? 0
    counts.set(change.entry, index + 1)
    vectors.push(await transitionVector(change, index))
  }
  return vectors
}
