// s390 PCI functions as hardware: what is registered for each, and what the two instructions answer.
import { decode } from '@iommu/bits'
import { anchor, answer, CONDITION, FUNCTION_CONTROLS, FUNCTIONS, handleOf, INSTRUCTIONS, REGION_THIRD, request, s390Shape, STATUS } from '../tables/s390.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Inside, Part } from './part.js'

export interface S390Options extends ModelOptions {
  readonly relaxed: boolean
  readonly refresh: boolean
}

interface Registration {
  readonly start: bigint
  readonly end: bigint
  readonly iota: bigint
}

// Codes of PCI events were not at hand: these numbers are ours.
const UNREGISTERED = fault(-10, 'no translation is registered', false)
const OUTSIDE = fault(-11, 'outside of the registered range', false)
const INVALID = fault(-12, 'invalid entry', false)
const PROTECTED = fault(-13, 'protected entry', false)
const WRONG_TYPE = fault(-14, 'unexpected table type', false)

const answered = (CC: number, status = 0): bigint => word(answer, { CC, STATUS: status })

const createPart = ({ translations, failures, events }: Inside, relaxed: boolean): Part => {
  const registered = new Map<number, Registration>()
  const forget = (functionId: number): void => void translations.dropTags((tag) => tag === functionId)

  const modify = (functionId: number, operation: number, [start, end, iota]: readonly bigint[]): bigint => {
    if (failures.refuseCommand()) return answered(CONDITION.error, STATUS.insufficient)
    const known = registered.has(functionId)
    switch (operation) {
      case FUNCTION_CONTROLS.deregister:
        if (!registered.delete(functionId)) return answered(CONDITION.error, STATUS.notRegistered)
        break
      case FUNCTION_CONTROLS.register: case FUNCTION_CONTROLS.reregister:
        if (known !== (operation === FUNCTION_CONTROLS.reregister)) return answered(CONDITION.error, known ? STATUS.already : STATUS.notRegistered)
        if (iota === 0n && !relaxed) return answered(CONDITION.error, 36)
        registered.set(functionId, { start: start ?? 0n, end: end ?? 0n, iota: iota ?? 0n })
        break
      default: throw new RangeError(`MPCIFC has no operation ${operation} here`)
    }
    forget(functionId)
    return answered(CONDITION.done)
  }
  const refresh = (functionId: number, [start, length]: readonly bigint[]): bigint => {
    if (failures.completionsNever) return answered(CONDITION.busy)
    if (start === undefined || length === undefined) return answered(CONDITION.error, 36)
    translations.dropRange((tag) => tag === functionId, Number(start >> 12n), Number((start + length - 1n) >> 12n))
    return answered(CONDITION.done)
  }
  return {
    busBits: 64,
    call(operation, args) {
      const [first, ...rest] = args
      const { HANDLE, OPERATION } = decode(request, [first ?? 0n])
      const functionId = HANDLE - handleOf(0)
      if (functionId < 0 || functionId >= FUNCTIONS) return answered(CONDITION.unknown)
      const known: Readonly<Record<string, () => bigint>> = {
        [INSTRUCTIONS.modify]: () => modify(functionId, OPERATION, rest),
        [INSTRUCTIONS.refresh]: () => refresh(functionId, rest),
      }
      const run = known[operation]
      if (run === undefined) throw new RangeError(`this hardware has no instruction ${operation}`)
      const result = run()
      events.emit({ kind: 'command', name: operation, words: args, text: `${operation} function 0x${functionId.toString(16)}` })
      return result
    },
    route({ source, address }, note) {
      const known = registered.get(source)
      note({
        entry: 'zpci.function', address: undefined, words: known === undefined ? [] : [known.iota],
        note: known === undefined ? 'nothing registered' : known.iota === 0n ? 'registered without tables' : 'registered',
      })
      if (known === undefined) return { to: 'blocked', fault: UNREGISTERED }
      if (address < known.start || address > known.end) return { to: 'blocked', fault: OUTSIDE }
      if (known.iota === 0n) return { to: 'identity', why: 'no tables' }
      const { TYPE, ENABLED, ORIGIN } = decode(anchor, [known.iota])
      if (ENABLED === 0 || TYPE !== REGION_THIRD) return { to: 'blocked', fault: WRONG_TYPE }
      return {
        to: 'tables', shape: s390Shape, root: ORIGIN, tag: source, named: `function ${source}`, read: true, write: true,
        absent: INVALID, denied: PROTECTED, invalid: WRONG_TYPE,
      }
    },
  }
}

export const createS390Machine = ({ relaxed, refresh, ...options }: S390Options): LegacyMachine =>
  createMachine((inside) => createPart(inside, relaxed), { ...options, coherent: true, keeping: { absent: refresh } })
