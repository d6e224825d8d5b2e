import type { SessionState } from '@llmgine/client';
import classes from './connection-badge.module.css';

const WORDS: Readonly<Record<SessionState, string>> = {
  idle: 'Connecting…',
  connecting: 'Connecting…',
  open: 'Live',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
  closed: 'Closed',
};

/** Whether what is shown is what is. */
export function ConnectionBadge({ state }: { readonly state: SessionState }) {
  return (
    <span className={classes.badge} data-state={state} role="status">
      <span className={classes.dot} aria-hidden />
      {WORDS[state]}
    </span>
  );
}
