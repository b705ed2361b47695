// Vectors of translations: registers, words of tables and a DMA; an address, or a block with its code.
import { walkCapture } from '@iommu/inspect'
import { outsideWalks } from './outside.js'
import { machineOf } from './recorded.js'

const asResult = ({ outcome, address, permissions, fault }) => (outcome === 'translated'
  ? { outcome, address, ...permissions }
  : { outcome, ...(fault === undefined ? {} : { code: `0x${fault.code.toString(16)}` }) })

/** Throws where our model does not answer as the recording does, or whoever else was asked. */
const walkVector = async (vendor, { recording, says, given, expected, confirmedBy = ['linux', 'qemu'] }, index) => {
  const capture = await machineOf(given)
  const found = asResult(walkCapture(capture, {
    source: Number(given.requesterId), iova: BigInt(given.iova), access: given.access, ...(given.pasid === undefined ? {} : { pasid: given.pasid }),
  }))
  for (const [name, value] of Object.entries(expected)) {
    if (found[name] !== value) throw new Error(`${recording ?? vendor}, ${says}: ${name} is ${found[name]} here, ${value} outside`)
  }
  return {
    id: `walk/${vendor}#${index + 1}`, kind: 'walk', says, given, result: found, confirmedBy, ...(recording === undefined ? {} : { recording }),
    unconfirmed: Object.keys(found).filter((name) => !(name in expected)),
  }
}

export const walkVectors = (vendor) => Promise.all(outsideWalks(vendor).map((each, index) => walkVector(vendor, each, index)))
