// Which form a number takes in a language: `one`, `few`, `other` and so on.

export function pluralsOf(language: string): (count: number) => Intl.LDMLPluralRule {
  const rules = new Intl.PluralRules(language);
  return (count) => rules.select(count);
}
