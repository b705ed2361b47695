import { defineConfig } from 'tsup'
import { library } from '@iommu-tools/presets/tsup'

export default defineConfig(library({
  index: 'src/index.ts',
  tables: 'src/tables/in-memory.ts',
  queues: 'src/tables/in-queues.ts',
  registers: 'src/tables/in-registers.ts',
  model: 'src/model/index.ts',
  backends: 'src/backends.ts',
  variants: 'src/variants/index.ts',
  reproduce: 'src/reproduce.ts',
}))
