// Takes questions that recorded machines answer out of capture folders: the words that a walk reads, and what the
// recording itself says must come of it. Run by hand when captures are added; its output is committed.
//
//   node extract.js <folder of captures> <platform> > outside/walks-<vendor>.json
//
// The walker is asked only which words it reads; the answers are those of the recording: the mappings that a user
// space tool made, the faults that the kernel logged, the domain that the kernel had set.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { readCapture, walkCapture } from '@iommu/inspect'

const text = (folder, name) => readFileSync(join(folder, name), 'utf8')
const hex = (value) => `0x${value.toString(16)}`

const truthOf = (folder) => existsSync(join(folder, 'truth.txt'))
  ? text(folder, 'truth.txt') : gunzipSync(readFileSync(join(folder, 'truth.txt.gz'))).toString('utf8')

/** Mappings as the tool printed them, one question for each access that its rights decide. */
const mapped = (folder) => [...truthOf(folder).matchAll(/VFIOMAP (\S+) iova=(\S+) paddr=(\S+) size=(\S+) prot=(\S+)/g)]
  .filter(([, , , physical]) => physical !== '0x0')
  .flatMap(([, bdf, iova, physical, size, rights]) => ['read', 'write'].flatMap((access) => {
    const may = rights.includes(access[0])
    const inside = BigInt(size) > 0x1000n ? 0x12340n : 0x340n
    // What a format cannot refuse is no question: whoever may write may read in most of them.
    if (access === 'read' && !may) return []
    return [{
      bdf, iova: hex(BigInt(iova) + inside), access, says: `a page of ${size} that a user space driver has mapped for ${rights}`,
      expected: may ? { outcome: 'translated', address: hex(BigInt(physical) + inside) } : { outcome: 'blocked' },
    }]
  }))

/** Devices of which the kernel says that they are blocked or pass. */
const set = (folder) => JSON.parse(text(folder, 'expected.json')).devices.flatMap(({ bdf, expectedEffect }) =>
  expectedEffect === 'blocked'
    ? [{ bdf, iova: '0x1000', access: 'read', says: 'a device whose DMA the kernel has claimed', expected: { outcome: 'blocked' } }]
    : expectedEffect === 'identity'
      ? [{ bdf, iova: '0x4001234', access: 'write', says: 'a device in an identity domain', expected: { outcome: 'translated', address: '0x4001234' } }]
      : [])

/** The registers that an answer rests on. */
const watched = (capture) => {
  const used = new Map()
  const registers = new Map(capture.registers)
  registers.get = (name) => {
    const value = capture.registers.get(name)
    if (value !== undefined) used.set(name, hex(value))
    return value
  }
  return { capture: { ...capture, registers }, used }
}

const questionOf = (capture, folder, { bdf, iova, access, says, expected }) => {
  const { requesterId } = capture.devices.find((device) => device.bdf === bdf)
  const { capture: seen, used } = watched(capture)
  const { steps } = walkCapture(seen, { source: requesterId, iova: BigInt(iova), access })
  const memory = Object.fromEntries(steps.flatMap(({ address, words }) =>
    address === null ? [] : words.map((word, index) => [hex(BigInt(address) + BigInt(index * 8)), word])))
  return {
    recording: folder, says,
    given: { platform: capture.platform, registers: Object.fromEntries(used), memory, requesterId: hex(requesterId), iova, access },
    expected,
  }
}

/** Every question of the captures of a platform, each once. */
export const extract = async (folder, platform) => {
  const found = new Map()
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`${platform}-`)).sort()) {
    const here = join(folder, name)
    const capture = await readCapture({
      meta: text(here, 'meta.json'), registers: text(here, 'registers.json'), tables: text(here, 'tables.json'),
      bytes: readFileSync(join(here, 'tables.bin')),
    })
    // The tool's log is the machine's whole history: its mappings are live where the device is still its own.
    const mappings = /-(edu-vfio|edu-faulted-pending)$/.test(name) ? mapped(here) : []
    for (const each of [...mappings, ...set(here)]) {
      const question = questionOf(capture, name, each)
      const key = [question.says, each.access, name.replace(/^(\w+)-[^-]+-/, '')].join()
      if (!found.has(key)) found.set(key, question)
    }
  }
  return [...found.values()]
}

if (process.argv[1]?.endsWith('extract.js') === true) {
  const [folder, platform] = process.argv.slice(2)
  const questions = await extract(folder, platform)
  process.stdout.write(`[\n${questions.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`)
}
