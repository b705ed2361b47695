// A process's address space as a CPU keeps it: tables of the CPU's own format in shared memory, and whom it tells.
import { createGather } from '@iommu/core'
import type { AddressSpace, AddressSpaceListener } from '@iommu/core'
import type { Memory } from '@iommu/hardware'
import type { Format } from './format.js'
import { createPageTable } from './page-table.js'

/** The CPU's side of an address space. Addresses are of the format's smallest pages. */
export interface CpuAddressSpace {
  readonly space: AddressSpace
  map(address: bigint, physical: bigint): void
  /** Clears the entry, and then tells those who share the tables. */
  unmap(address: bigint): void
  /** Tells those who share the tables, and then gives them back. */
  end(): void
}

/** Throws IommuError ENOMEM where there is no memory for its tables. */
export const createCpuAddressSpace = (memory: Memory, name: string, format: Format): CpuAddressSpace => {
  const table = createPageTable({ memory, format })
  const page = table.pageSizes & -table.pageSizes
  const listeners = new Set<AddressSpaceListener>()
  return {
    space: {
      name,
      root: table.root,
      levels: format.levels,
      pageShift: page.toString(2).length - 1,
      subscribe(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
    map(address, physical) {
      const { error } = table.mapPages(address, physical, page, 1, { read: true, write: true })
      if (error !== undefined) throw error
    },
    unmap(address) {
      const gather = createGather()
      table.unmapPages(address, page, 1, gather)
      for (const listener of listeners) listener.invalidate(address, address + page - 1n)
      table.release(gather.freed)
    },
    end() {
      for (const listener of [...listeners]) listener.release()
      table.free()
    },
  }
}
