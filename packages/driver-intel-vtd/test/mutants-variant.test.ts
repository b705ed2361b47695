// Mutants, part by part, so that test runners can spread them.
import { testMutants } from './mutants.js'

testMutants('variant')
