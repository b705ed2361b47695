// How every library is built: ESM, source maps, declarations that still name the packages they import.

/**
 * @param {Record<string, string>} entry output name -> source file
 * @returns {import('tsup').Options}
 */
export const library = (entry) => ({
  entry,
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  treeshake: true,
  splitting: true,
  // tsup 8.5 sets baseUrl for its declaration build, which TypeScript 6 deprecates (egoist/tsup#1388).
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
})
