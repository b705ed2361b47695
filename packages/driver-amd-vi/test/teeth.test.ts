// Every statement is known to be able to fail: with this driver's variants, some mutant names it first.
import { variantsAreSound } from '../../../tools/driver-tests/variants.js'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

variantsAreSound(variants, backends)
