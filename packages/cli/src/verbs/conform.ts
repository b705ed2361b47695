// conform: a placeholder until the suite is connected.
import { EnvironmentError } from '../io.js'
import type { Verb } from '../io.js'

export const verb: Verb = {
  name: 'conform',
  summary: 'run the conformance suite on drivers',
  usage: 'iommu conform [name, ./path or package ...]',
  run() {
    throw new EnvironmentError('not here yet')
  },
}
