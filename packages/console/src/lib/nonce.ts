/** The nonce that the server puts into the page, by which it knows the styles of the libraries. */
export function pageNonce(): string {
  return document.querySelector('meta[name="csp-nonce"]')?.getAttribute('content') ?? '';
}

/** What the library that locks the scrolling behind dialogs asks for its nonce. */
export function shareNonce(): void {
  Object.assign(globalThis, { __webpack_nonce__: pageNonce() });
}
