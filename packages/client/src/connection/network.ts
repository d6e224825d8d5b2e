/** What listens, as far as it does. */
interface Events {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
}
/** What the device says about its network, where it says anything: browsers do, Node does not. */
interface Device extends Events {
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: Events & { readonly hidden?: boolean };
}

/** A device without a network may still reach itself, so this is a hint: nobody stops trying because of it. */
export function isOffline(): boolean {
  return (globalThis as Device).navigator?.onLine === false;
}

/**
 * Calls the listener when the network comes or goes, and when somebody looks at the page again: it may have slept for long.
 * Until the returned function is called.
 */
export function onNetworkChange(listener: () => void): () => void {
  const { document } = globalThis as Device;
  const shown = () => {
    if (!document?.hidden) listener();
  };
  const offs = [
    listen(globalThis as Device, 'online', listener),
    listen(globalThis as Device, 'offline', listener),
    listen(document, 'visibilitychange', shown),
  ];
  return () => {
    for (const off of offs) off();
  };
}

function listen(target: Events | undefined, type: string, listener: () => void): () => void {
  if (!target?.addEventListener || !target.removeEventListener) return () => {};
  target.addEventListener(type, listener);
  return () => target.removeEventListener?.(type, listener);
}
