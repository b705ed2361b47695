// Every statement is known to be able to fail: with this driver's variants, some mutant names it first.
import { variantsAreSound } from '../../../tools/driver-tests/variants.js'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'

// None of this hardware has devices with TLBs, or a model that can be watched by an adversary.
variantsAreSound(variants, backends, ['C-RESET-04', 'C-TLB-02', 'C-FREE-01', 'C-FREE-03'])
