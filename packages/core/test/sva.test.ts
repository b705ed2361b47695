// Shared virtual addressing: one PASID for each address space, one attach for each device, counted bonds.
import { describe, expect, test } from 'vitest'
import { addressSpace, bench, device, refusal, together } from './bench.js'

const a = device('a')
const b = device('b')

describe('bind', () => {
  test('sets a domain of the address space on a PASID; the second bind only counts', () => {
    const { core, driver } = bench({}, [a])
    const space = addressSpace('p')
    const bond = core.bindSva(a, space)
    expect(bond).toEqual({ device: a, space, pasid: 1 })
    expect(core.bindSva(a, space)).toBe(bond)
    expect(driver.take()).toEqual(['alloc sva', 'pasid sva2 a:1 was none'])
    core.unbindSva(bond)
    expect(driver.take()).toEqual([])
    core.unbindSva(bond)
    expect(driver.take()).toEqual(['pasid blocked a:1 was sva2', 'free sva2'])
    expect(refusal(() => core.unbindSva(bond))).toBe('EINVAL')
  })

  test('gives all devices the same PASID and domain', () => {
    const { core, driver } = bench({}, [a, b])
    const space = addressSpace('p')
    const bonds = [core.bindSva(a, space), core.bindSva(b, space)]
    expect(bonds.map(({ pasid }) => pasid)).toEqual([1, 1])
    expect(driver.take()).toEqual(['alloc sva', 'pasid sva3 a:1 was none', 'pasid sva3 b:1 was none'])
    for (const bond of bonds) core.unbindSva(bond)
    expect(driver.take()).toEqual(['pasid blocked a:1 was sva3', 'pasid blocked b:1 was sva3', 'free sva3'])
  })

  test('makes another domain where a device cannot have that of the others', () => {
    const { core, driver } = bench({}, [a, b])
    const space = addressSpace('p')
    core.bindSva(a, space)
    driver.refuse('pasid sva3 b:1', 'EINVAL')
    driver.take()
    core.bindSva(b, space)
    expect(driver.take()).toEqual(['pasid sva3 b:1 was none', 'alloc sva', 'pasid sva4 b:1 was none'])
  })

  test('gives each address space a PASID of its own', () => {
    const { core } = bench({}, [a])
    expect(['p', 'q', 'r'].map((name) => core.bindSva(a, addressSpace(name)).pasid)).toEqual([1, 2, 3])
  })

  test('counts for the group: a second device of it shares the bond', () => {
    const [x, y] = together('x', 'y')
    if (!x || !y) throw new Error('two devices')
    const { core } = bench({}, [x, y])
    const space = addressSpace('p')
    expect(core.bindSva(y, space)).toBe(core.bindSva(x, space))
  })
})

describe('bind is refused', () => {
  test('with ENOSPC where no PASID is left', () => {
    const { core } = bench({ maxPasids: { a: 2, b: 0 } }, [a, b])
    core.bindSva(a, addressSpace('p'))
    expect(refusal(() => core.bindSva(a, addressSpace('q')))).toBe('ENOSPC')
    expect(refusal(() => core.bindSva(b, addressSpace('q')))).toBe('ENOSPC')
  })

  test('with EOVERFLOW where the address space has a PASID that the device cannot use', () => {
    const { core } = bench({ maxPasids: { a: 8, b: 2 } }, [a, b])
    core.bindSva(a, addressSpace('p'))
    const space = addressSpace('q')
    core.bindSva(a, space)
    expect(refusal(() => core.bindSva(b, space))).toBe('EOVERFLOW')
  })

  test('with EBUSY where the PASID has something else, with a handle or without', () => {
    const { core, driver } = bench({}, [a])
    core.attachPasid(core.allocPaging(a), a, 1)
    core.attachPasid(core.allocPaging(a), a, 2, {})
    expect(refusal(() => core.bindSva(a, addressSpace('p')))).toBe('EBUSY')
    expect(refusal(() => core.bindSva(a, addressSpace('q')))).toBe('EBUSY')
    expect([...driver.alive]).toEqual(['paging1', 'paging2', 'paging3'])
  })

  test('by the driver, and frees the domain', () => {
    const { core, driver } = bench({}, [a])
    driver.refuse('pasid sva2', 'ENOSPC')
    expect(refusal(() => core.bindSva(a, addressSpace('p')))).toBe('ENOSPC')
    expect(driver.take()).toEqual(['alloc sva', 'pasid sva2 a:1 was none', 'free sva2'])
  })
})

describe('the PASID of an address space', () => {
  test('outlives its bonds', () => {
    const { core } = bench({}, [a])
    const space = addressSpace('p')
    core.unbindSva(core.bindSva(a, space))
    expect(core.bindSva(a, addressSpace('q')).pasid).toBe(2)
    expect(core.bindSva(a, space).pasid).toBe(1)
  })

  test('is given back when the address space ends', () => {
    const { core } = bench({ maxPasids: 2 }, [a])
    const space = addressSpace('p')
    core.unbindSva(core.bindSva(a, space))
    for (const listener of space.listeners) listener.release()
    expect(space.listeners.size).toBe(0)
    expect(core.bindSva(a, addressSpace('q')).pasid).toBe(1)
  })

  test('is kept until the last bond goes, where the address space ends before', () => {
    const { core } = bench({ maxPasids: 2 }, [a])
    const space = addressSpace('p')
    const bond = core.bindSva(a, space)
    for (const listener of space.listeners) listener.release()
    expect(refusal(() => core.bindSva(a, addressSpace('q')))).toBe('ENOSPC')
    core.unbindSva(bond)
    expect(core.bindSva(a, addressSpace('q')).pasid).toBe(1)
  })
})
