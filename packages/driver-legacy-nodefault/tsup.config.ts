import { defineConfig } from 'tsup'
import { library } from '@iommu-tools/presets/tsup'

export default defineConfig(library({
  index: 'src/index.ts',
  tables: 'src/tables/in-memory.ts',
  registers: 'src/tables/in-registers.ts',
  backends: 'src/backends.ts',
  variants: 'src/variants/index.ts',
  history: 'src/history/index.ts',
}))
