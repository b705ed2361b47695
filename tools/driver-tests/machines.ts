// Machines that lack something: all but a pen to note what is done, memory, or an answer in a register.
import { PhysicalMemory } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { hex } from './spell.js'

/** What was done, a line each; and what a plan is applied to. */
export interface Noting {
  readonly did: string[]
  readonly machine: Machine
  readonly queue: { submit(commands: readonly (readonly bigint[])[]): void }
}

/** Notes what is done to memory and queue. `more`: what the machine has besides its memory. */
export const noting = (more: (note: (line: string) => void) => object = () => ({})): Noting => {
  const did: string[] = []
  const note = (line: string): void => void did.push(line)
  const memory = {
    store64: (address: bigint, value: bigint) => note(`store ${hex(address, value)}`),
    store128: (address: bigint, first: bigint, second: bigint) => note(`store ${hex(address, first, second)}`),
    order: () => note('order'),
    writeBack: (address: bigint, bytes: number) => note(`write back ${hex(address)} ${bytes}`),
  }
  return {
    did,
    // Whatever else a step asked of the machine would be an error.
    machine: { memory, ...more(note) } as unknown as Machine,
    queue: { submit: (commands) => note(`submit ${commands.map((each) => hex(...each)).join(', ')}`) },
  }
}

/** A machine that has nothing but memory, of which the n-th allocation finds none. */
export const withoutMemory = (n: number): Machine => {
  const memory = new PhysicalMemory()
  memory.pages.failAt(n)
  return { memory } as unknown as Machine
}

/** A machine one of whose registers always reads 0. */
export const deafAt = <M extends Machine>(machine: M, register: number): M => ({
  ...machine,
  registers: { ...machine.registers, read32: (offset: number) => (offset === register ? 0 : machine.registers.read32(offset)) },
})
