import { test } from 'vitest'
import { mutantTrials, runSuite } from '@iommu/conformance'
import { coreVariants } from '@iommu/core/variants'
import { backends } from '../src/backends.js'
import { variants } from '../src/variants/index.js'
import { writeFileSync } from 'node:fs'
test('suite', { timeout: 3000000 }, () => {
  for (const b of backends) { const t = performance.now(); const r = runSuite(b); console.log(b.backend, r.totals, performance.now() - t, r.results.filter((x) => x.status === 'failed').map((x) => x.statement + x.reason)) }
  const out: unknown[] = []
  for (const trial of mutantTrials(backends, variants, coreVariants)) {
    const t = performance.now()
    const r = trial.run()
    out.push({ ...r, ms: performance.now() - t })
    writeFileSync('/tmp/mutants.json', JSON.stringify(out, null, 1))
  }
})
