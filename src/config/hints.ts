// Detects what users write from habit and what has no meaning in a properties file: variables and
// operators of a shell, and comments after a value. Each hint says what to write instead. A hint
// never repeats a value, which may be secret.

import type { Key } from "./keys.ts";

/** Hints about a text that probably does not do what its author meant. */
export function hintsFor(key: Key, text: string): readonly string[] {
  // Quoted text is meant for a shell or another interpreter, which has its own rules.
  const plain = key === "executableName" ? text.replace(QUOTED, "''") : text;
  const command = key === "executableName" ? commandHints(plain) : [];
  return [...variableHints(plain), ...substitutionHints(plain), ...command, ...commentHints(plain)];
}

const QUOTED = /'[^']*'|"(?:[^"\\]|\\.)*"/gs;

/**
 * `${NAME}` or `${NAME:-DEFAULT}`, or `$NAME` in capitals. `$${…}` is the escape for the text
 * itself.
 */
const VARIABLE = /(?<!\$)\$(?:\{([A-Za-z_]\w*)(?:\}|:?[-=?+][^}]*\})|([A-Z_][A-Z0-9_]*)(?!\w))/g;

function variableHints(text: string): readonly string[] {
  return [...text.matchAll(VARIABLE)].map(([, braced, bare]) => {
    const written = braced === undefined ? `$${bare}` : `\${${braced}}`;
    return `${written} is not expanded: write \${env:${braced ?? bare}}`;
  });
}

/** A command whose output a shell would insert. */
const SUBSTITUTION = /(?<!\$)\$\(.*\)|`[^`]+`/s;

function substitutionHints(text: string): readonly string[] {
  if (!SUBSTITUTION.test(text)) return [];
  return [
    `no shell reads this file, so the command in $(…) or \`…\` is not run: store its output in a variable before the start, and write \${env:NAME}`,
  ];
}

const OPERATOR = /^(?:&&|\|\|?|&|;|\d?>>?(?:&\d|.*)|<.*)$/;
/** A command that ends here for a shell. The word itself may be secret. */
const ENDS_COMMAND = /[^;];$/;
const HOME = /^~(?:\/|$)/;
const ASSIGNMENT = /^([A-Za-z_]\w*)=/;

function commandHints(text: string): readonly string[] {
  const words = text.split(/ +/).filter(Boolean);
  const comment = words.indexOf("#");
  const meant = comment < 0 ? words : words.slice(0, comment);
  const operator =
    meant.find((word) => OPERATOR.test(word)) ??
    (meant.some((word) => ENDS_COMMAND.test(word)) ? ";" : undefined);
  const name = ASSIGNMENT.exec(words[0] ?? "")?.[1];
  return [
    ...(meant.some((word) => HOME.test(word)) ? ["~ is not expanded: write the whole path"] : []),
    ...(operator === undefined
      ? []
      : [
          `no shell runs the command, so ${operator} is an ordinary argument: write sh -c "exec …", or use a script`,
        ]),
    ...(name === undefined
      ? []
      : [
          `no shell runs the command, so ${name}=… would be the program: write env ${name}=… before the program`,
        ]),
  ];
}

function commentHints(text: string): readonly string[] {
  if (!/\s#(?:\s|$)/.test(text)) return [];
  return ["# begins a comment only at the start of a line: here it belongs to the value"];
}
