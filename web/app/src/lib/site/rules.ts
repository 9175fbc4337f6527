// The five rules, in one place: the first page shows their heads, the rules page all of them.

export interface Rule {
  head: string;
  body: string;
}

export const RULES: readonly Rule[] = [
  {
    head: "Adults only.",
    body: "You are 18 or older. If the person opposite seems younger, leave at once.",
  },
  {
    head: "Keep your clothes on.",
    body: "No nudity and nothing sexual, neither shown nor asked for. Nobody here agreed to see it.",
  },
  {
    head: "Be decent.",
    body: "No insults, no threats, no hatred for what somebody is. Disagree as you would at a table.",
  },
  {
    head: "What is said here stays here.",
    body: "Do not record, photograph or pass on what a stranger shows or tells you. Do not press for names or addresses.",
  },
  {
    head: "Be yourself.",
    body: "Your own live picture and your own words. No recordings, no bots, nothing for sale.",
  },
];
