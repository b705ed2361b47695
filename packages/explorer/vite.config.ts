// The page as static files: from the sources of all packages, for any web server and for a disk.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'
import { classicScripts } from './classic-scripts.js'

export default defineConfig({
  base: './',
  assetsInclude: ['**/*.bin'],
  resolve: { conditions: ['@iommu/source', 'module', 'browser', 'default'] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [classicScripts(readFileSync(new URL('page.html', import.meta.url), 'utf8'))],
  build: {
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    // The scripts are minified when they are whole.
    minify: false,
    cssMinify: true,
    rolldownOptions: {
      input: 'src/main.tsx',
      // The helper around dynamic imports asks for it and does not use it.
      checks: { emptyImportMeta: false },
      output: { format: 'cjs', entryFileNames: 'assets/[name].js', chunkFileNames: 'assets/[name]-[hash].js', assetFileNames: 'assets/[name][extname]' },
    },
  },
})
