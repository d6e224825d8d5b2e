/** A script of this folder: TypeScript where the server runs from its source, JavaScript in the package. */
export function scriptOf(name: 'calculator' | 'page-text'): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
