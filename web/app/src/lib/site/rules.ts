// The five rules, in one place: the first page and the rules page show them.
import { m } from "$lib/messages.svelte";

export interface Rule {
  head: () => string;
  why: () => string;
}

export const RULES: readonly Rule[] = [
  { head: () => m.site.rule_adults(), why: () => m.site.rule_adults_why() },
  { head: () => m.site.rule_clothes(), why: () => m.site.rule_clothes_why() },
  { head: () => m.site.rule_decent(), why: () => m.site.rule_decent_why() },
  { head: () => m.site.rule_private(), why: () => m.site.rule_private_why() },
  { head: () => m.site.rule_yourself(), why: () => m.site.rule_yourself_why() },
];
