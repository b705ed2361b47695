// Finds the rule that explains a difference.
import type { Difference, ReproduceRule } from './vendor.js'

/** At most one holds for a difference; undefined where none does. */
export const ruleFor = <Facts>(
  rules: readonly ReproduceRule<Facts>[], facts: Facts, difference: Difference,
): ReproduceRule<Facts> | undefined =>
  rules.find((rule) =>
    rule.entry === difference.entry && rule.field === difference.field && rule.condition(facts, difference))
