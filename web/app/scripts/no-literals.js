// An eslint rule: what a visitor reads stands in the catalogue (messages/), not in components or code. It knows a text by
// its letters in a template, and a sentence in code by its capital, its words or its punctuation.

const READ_ALOUD = [
  "alt",
  "aria-description",
  "aria-label",
  "aria-placeholder",
  "aria-roledescription",
  "aria-valuetext",
  "description",
  "label",
  "placeholder",
  "title",
];
/** The same in every language. */
const NAMES = ["Visavis", "Esc", "Escape"];

const LETTERS = /\p{L}{2}/u;
const SENTENCE = /^\p{Lu}[\p{Ll}’]+[\s,].*\p{L}|\p{L}{2}[,;:]? \p{L}.*[.…!?]$|[’“”…]/u;
const WORD = /^\p{Lu}\p{Ll}+\p{P}?\s*$/u;

/** @type {import("eslint").Rule.RuleModule} */
export default {
  meta: {
    type: "problem",
    schema: [],
    messages: { literal: "“{{ text }}” belongs in the catalogue (messages/)." },
  },
  create(context) {
    /**
     * @param {any} node
     * @param {string} text
     */
    const report = (node, text) => {
      const trimmed = text.trim().replace(/\s+/g, " ");
      if (!NAMES.includes(trimmed)) context.report({ node, messageId: "literal", data: { text: trimmed } });
    };
    /**
     * @param {any} node
     * @param {string} text
     */
    const look = (node, text) => {
      if (isForDevelopers(node)) return;
      if (SENTENCE.test(text) || (isInTemplate(node) && WORD.test(text))) report(node, text);
    };
    return {
      SvelteText(/** @type {any} */ node) {
        const isCode = ["SvelteStyleElement", "SvelteScriptElement"].includes(node.parent.type);
        if (!isCode && LETTERS.test(node.value)) report(node, node.value);
      },
      SvelteAttribute(/** @type {any} */ node) {
        if (!READ_ALOUD.includes(node.key.name)) return;
        for (const value of node.value)
          if (value.type === "SvelteLiteral" && LETTERS.test(value.value)) report(value, value.value);
      },
      Literal(/** @type {any} */ node) {
        if (typeof node.value === "string") look(node, node.value);
      },
      TemplateElement(/** @type {any} */ node) {
        look(node, node.value.cooked ?? "");
      },
    };
  },
};

/** @param {any} node */
function isInTemplate(node) {
  for (let at = node.parent; at; at = at.parent) {
    if (at.type === "SvelteMustacheTag") return true;
    if (at.type.startsWith("Svelte")) return false;
  }
  return false;
}

/**
 * Errors that only a developer sees, types, and what is imported.
 * @param {any} node
 */
function isForDevelopers(node) {
  const parent = node.parent.type === "TemplateLiteral" ? node.parent.parent : node.parent;
  if (parent.type === "TSLiteralType" || parent.type.startsWith("Import") || parent.type.startsWith("Export"))
    return true;
  return parent.type === "NewExpression" && parent.callee.name === "Error";
}
