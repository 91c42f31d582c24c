// The names of the two dialects of the messages at the end of a child's work (child/dialect.ts).

export const DIALECT_NAMES = ["kcl2", "kcl1"] as const;
export const DIALECT_CHOICES = [...DIALECT_NAMES, "auto"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];
export type DialectChoice = (typeof DIALECT_CHOICES)[number];
