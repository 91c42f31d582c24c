// The names of the two dialects in which a child is told that its work ends (child/dialect.ts).

export const DIALECT_NAMES = ["kcl2", "kcl1"] as const;
export const DIALECT_CHOICES = [...DIALECT_NAMES, "auto"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];
export type DialectChoice = (typeof DIALECT_CHOICES)[number];
