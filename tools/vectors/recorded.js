// A machine of which only some words of memory are known, as a capture that `inspect` can read.
import { readCapture } from '@iommu/inspect'

const PAGE = 4096n

/**
 * @param {{ platform: string, registers: Record<string, string>, memory: Record<string, string>, requesterId: string }} given
 *   words of 64 bits by address; every other word of their pages is zero
 */
export const machineOf = ({ platform, registers, memory, requesterId }) => {
  const frames = [...new Set(Object.keys(memory).map((address) => BigInt(address) / PAGE))]
  const bytes = new Uint8Array(frames.length * Number(PAGE))
  const view = new DataView(bytes.buffer)
  for (const [address, word] of Object.entries(memory)) {
    const at = frames.indexOf(BigInt(address) / PAGE) * Number(PAGE) + Number(BigInt(address) % PAGE)
    view.setBigUint64(at, BigInt(word), true)
  }
  const id = Number(requesterId)
  const bdf = `0000:${(id >> 8).toString(16).padStart(2, '0')}:${((id >> 3) & 31).toString(16).padStart(2, '0')}.${id & 7}`
  return readCapture({
    meta: JSON.stringify({ platform, devices: [{ bdf, requesterId: `0x${id.toString(16)}` }] }),
    registers: JSON.stringify({ registers: Object.entries(registers).map(([name, value]) => ({ name, bits: 64, value })) }),
    tables: JSON.stringify({
      pageSize: Number(PAGE),
      pages: Object.fromEntries(frames.map((frame, index) => [`0x${(frame * PAGE).toString(16)}`, index * Number(PAGE)])),
      zeroPages: [],
    }),
    bytes,
  })
}
