// The one place that stores: carries out steps on a machine.
import { IommuError } from '@iommu/core'
import { frameOf } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { loadWord, storeWord } from '../tables/words.js'
import type { CallStep, Step } from './steps.js'

/** How often an instruction is repeated that answers "busy". */
const CALL_BUDGET = 100

const merged = (before: bigint, value: bigint, mask: bigint | undefined): bigint =>
  (mask === undefined ? value : (before & ~mask) | (value & mask))

const call = (machine: Machine, { operation, args, judge, explain }: CallStep): void => {
  let answer = machine.call(operation, args)
  for (let tries = 1; judge(answer) === 'again' && tries < CALL_BUDGET; tries++) answer = machine.call(operation, args)
  if (judge(answer) !== 'done') throw new IommuError('ENODEV', `${operation} is refused: ${explain(answer)}`, { answer })
}

/** Carries out one step. Throws ENODEV where an instruction is refused. */
const perform = (machine: Machine, step: Step): void => {
  const { memory, registers } = machine
  switch (step.do) {
    case 'write': {
      const before = step.mask === undefined ? 0n : BigInt(registers.read32(step.offset))
      return registers.write32(step.offset, Number(merged(before, step.value, step.mask)))
    }
    case 'store': {
      storeWord(memory, step.address, merged(loadWord(memory, step.address, step.form), step.value, step.mask), step.form)
      return memory.writeBack(step.address, step.form.bytes)
    }
    case 'call': return call(machine, step)
    case 'order': return memory.order()
    case 'read': return void registers.read32(step.offset)
    case 'wait': {
      const { done } = registers.poll(() => BigInt(registers.read32(step.offset)), (value) => (value & step.until) !== 0n)
      return done ? undefined : apply(machine, step.otherwise)
    }
    case 'free': return memory.pages.free(frameOf(step.table), Math.max(1, step.bytes / 4096))
    case 'remember': return undefined
    default: return step satisfies never
  }
}

/** Carries out the steps in order. Throws what a step throws, with those before it done. */
export const apply = (machine: Machine, steps: readonly Step[]): void => {
  for (const step of steps) perform(machine, step)
}
