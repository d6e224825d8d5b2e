/** The value of a variable of the environment, if it is set. */
export type VariableLookup = (name: string) => string | undefined;

/** `${NAME}`, `${NAME:-default}`, and `${env:NAME}` as some programs write it. */
const VARIABLE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** Throws an `Error` that names the field and the variable when it is not set and there is no default. */
export function expandVariables(text: string, lookup: VariableLookup, field: string): string {
  return text.replaceAll(VARIABLE, (_, name: string, fallback: string | undefined) => {
    const value = lookup(name) ?? fallback;
    if (value === undefined) throw new Error(`${field} names the variable ${name}, which is not set`);
    return value;
  });
}
