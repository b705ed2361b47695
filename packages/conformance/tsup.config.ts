import { defineConfig } from 'tsup'
import { library } from '@iommu-tools/presets/tsup'

export default defineConfig(library({ index: 'src/index.ts', bench: 'src/bench-entry.ts', random: 'src/random/index.ts' }))
