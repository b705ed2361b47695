// A process's address space as an x86-64 CPU keeps it: 4-level tables in the machine's memory, and whom it tells.
import { createGather } from '@iommu/core'
import type { AddressSpace, AddressSpaceListener } from '@iommu/core'
import type { Machine } from '@iommu/hardware'
import { createPageTable, firstStage } from '@iommu/page-table'

/** The CPU's side of an address space. Addresses are of 4 KiB pages. */
export interface CpuAddressSpace {
  readonly space: AddressSpace
  map(address: bigint, physical: bigint): void
  /** Clears the entry, and then tells those who share the tables. */
  unmap(address: bigint): void
  /** Tells those who share the tables, and then gives them back. */
  end(): void
}

const PAGE = 0x1000n

/** Throws IommuError ENOMEM where there is no memory for its tables. */
export const createCpuAddressSpace = ({ memory }: Machine, name: string, addressBits: number): CpuAddressSpace => {
  const table = createPageTable({ memory, format: firstStage({ levels: 4, leafShifts: [12, 21], addressBits, noExecute: false }) })
  const listeners = new Set<AddressSpaceListener>()
  return {
    space: {
      name,
      root: table.root,
      levels: 4,
      subscribe(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
    map(address, physical) {
      const { error } = table.mapPages(address, physical, PAGE, 1, { read: true, write: true })
      if (error !== undefined) throw error
    },
    unmap(address) {
      const gather = createGather()
      table.unmapPages(address, PAGE, 1, gather)
      for (const listener of listeners) listener.invalidate(address, address + PAGE - 1n)
      table.release(gather.freed)
    },
    end() {
      for (const listener of [...listeners]) listener.release()
      table.free()
    },
  }
}
