/** What the device says about its network, where it says anything: browsers do, Node does not. */
interface NetworkEvents {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
  readonly navigator?: { readonly onLine?: boolean };
}

/** A device without a network may still reach itself, so this is a hint: nobody stops trying because of it. */
export function isOffline(): boolean {
  return (globalThis as NetworkEvents).navigator?.onLine === false;
}

/** Calls the listener with every change until the returned function is called. */
export function onNetworkChange(listener: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis as NetworkEvents;
  if (!addEventListener || !removeEventListener) return () => {};
  for (const type of ['online', 'offline']) addEventListener.call(globalThis, type, listener);
  return () => {
    for (const type of ['online', 'offline']) removeEventListener.call(globalThis, type, listener);
  };
}
