import { defineConfig } from 'tsup'
import { library } from '@iommu-tools/presets/tsup'

export default defineConfig({
  ...library({ iommu: 'src/iommu.ts', 'conform-worker': 'src/conform-worker.ts' }),
  dts: false,
})
