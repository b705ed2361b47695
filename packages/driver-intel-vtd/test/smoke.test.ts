import { test } from 'vitest'
import { allStatements, runStatement } from '@iommu/conformance'
import { backends } from '../src/backends.js'
test('suite', { timeout: 300000 }, () => {
  for (const backend of backends.slice(0, 1)) {
    const rows = allStatements.map((s) => { const t = performance.now(); const r = runStatement(s, backend); return [performance.now() - t, s.id, r.status, r.reason ?? '', r.stores] as const })
    for (const r of rows) if (r[2] === 'failed') console.log(r.join(' '))
    console.log(rows.sort((a, b) => b[0] - a[0]).slice(0, 25).map((r) => `${r[0].toFixed(0)} ms ${r[1]} ${r[4]}`).join('\n'), rows.reduce((s, r) => s + r[0], 0))
  }
})
