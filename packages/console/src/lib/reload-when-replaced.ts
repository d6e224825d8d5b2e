const KEY = 'reloaded-at';
/** Sooner than this after the last time, loading the page again is no help. */
const AGAIN_MS = 60_000;

/** A server that was updated has other files than an open page knows; the page that it has now knows them. */
export function reloadWhenReplaced(): void {
  window.addEventListener('vite:preloadError', () => {
    if (Date.now() - Number(sessionStorage.getItem(KEY)) < AGAIN_MS) return;
    sessionStorage.setItem(KEY, String(Date.now()));
    window.location.reload();
  });
}
