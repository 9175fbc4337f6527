// The five rules, in one place: the first page shows their heads, the rules page all of them.

export interface Rule {
  head: string;
  body: string;
}

export const RULES: readonly Rule[] = [
  {
    head: "Adults only.",
    body: "You are 18 or older. If the other person seems younger, leave at once.",
  },
  {
    head: "Keep your clothes on.",
    body: "No nudity and nothing sexual: do not show it, do not ask for it. No one here agreed to see it.",
  },
  {
    head: "Be decent.",
    body: "No insults, no threats, no hate for what someone is. Disagree the way you would face to face.",
  },
  {
    head: "What is said here stays here.",
    body: "Do not record, photograph or share what a stranger shows or tells you. Do not push for names or addresses.",
  },
  {
    head: "Be yourself.",
    body: "Your own live picture and your own words. No recordings, no bots, nothing to sell.",
  },
];
