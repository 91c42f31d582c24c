// What users write from habit and what has no meaning here: variables and operators of a shell,
// comments behind a value. Each hint says what to write instead. A hint never repeats a value, which
// may be secret.

import type { Key } from "./keys.ts";

/** What a text as written probably does not mean; empty as a rule. */
export function hintsFor(key: Key, text: string): readonly string[] {
  // What is quoted goes to a shell or another interpreter, which has rules of its own.
  const plain = key === "executableName" ? text.replace(QUOTED, "''") : text;
  const command = key === "executableName" ? commandHints(plain) : [];
  return [...variableHints(plain), ...command, ...commentHints(plain)];
}

const QUOTED = /'[^']*'|"(?:[^"\\]|\\.)*"/gs;

/** `${NAME}`, and `$NAME` in capitals; `$${…}` stands for itself on purpose. */
const VARIABLE = /(?<!\$)\$(?:\{([A-Za-z_]\w*)\}|([A-Z_][A-Z0-9_]*)(?!\w))/g;

function variableHints(text: string): readonly string[] {
  return [...text.matchAll(VARIABLE)].map(([whole, braced, bare]) => {
    return `${whole} is taken as it stands: write \${env:${braced ?? bare}}`;
  });
}

const OPERATOR = /^(?:&&|\|\|?|&|;|\d?>>?(?:&\d|.*)|<.*)$/;
const ASSIGNMENT = /^([A-Za-z_]\w*)=/;

function commandHints(text: string): readonly string[] {
  const words = text.split(/ +/).filter(Boolean);
  const comment = words.indexOf("#");
  const meant = comment < 0 ? words : words.slice(0, comment);
  const operator = meant.find((word) => OPERATOR.test(word));
  const name = ASSIGNMENT.exec(words[0] ?? "")?.[1];
  return [
    ...(operator === undefined
      ? []
      : [
          `no shell is involved, so ${operator} is an argument like any other: write sh -c "exec …", or name a script`,
        ]),
    ...(name === undefined
      ? []
      : [
          `no shell is involved, so the program would be ${name}=…: write env ${name}=… in front of the program`,
        ]),
  ];
}

function commentHints(text: string): readonly string[] {
  if (!/\s#(?:\s|$)/.test(text)) return [];
  return ["a comment has a line of its own: what follows # belongs to the value"];
}
