// What Stryker mutates: one room of one driver, as MUTATE names it.
import { chosen } from './rooms.js'

const { driver, room, excludedMutations } = chosen()

export default {
  mutate: [`packages/driver-${driver}/src/${room}/**/*.ts`],
  mutator: { excludedMutations },
  plugins: ['@stryker-mutator/vitest-runner', './tools/mutation/sample.js'],
  testRunner: 'vitest',
  vitest: { configFile: 'tools/mutation/vitest.config.js', related: false },
  checkers: process.env.SAMPLE === undefined ? [] : ['sample'],
  // Types are not looked at.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  coverageAnalysis: 'perTest',
  concurrency: 1,
  timeoutMS: 6000,
  tempDirName: 'coverage/stryker',
  ignorePatterns: ['/packages/*/dist', '/docs', '/.turbo', '/packages/explorer', '/coverage'],
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: `coverage/mutation/${driver}.${room}.json` },
}
