// A mutant that keeps a module from loading fails no test of a file that imports it at its top: here the import is the test.
import { expect, test } from 'vitest'

test('the driver loads', async () => {
  expect(await import('driver-under-test/index.ts')).toBeTypeOf('object')
})
