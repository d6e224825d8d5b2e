import type { CloseReason, SessionState } from '@llmgine/client';
import { Button } from '@mantine/core';
import { Link } from 'react-router';
import classes from './connection-banner.module.css';

export interface ConnectionBannerProps {
  readonly state: SessionState;
  readonly reason: CloseReason | null;
}

/** Says what it means for the reader that the connection is lost. */
export function ConnectionBanner({ state, reason }: ConnectionBannerProps) {
  if (state === 'reconnecting') {
    return (
      <div className={classes.banner}>
        The connection was lost. Reconnecting; what happens meanwhile will be here.
      </div>
    );
  }
  if (state === 'offline') {
    return (
      <div className={classes.banner}>This device has no network. It goes on as soon as there is one.</div>
    );
  }
  if (state === 'closed' && reason?.error) {
    return (
      <div className={classes.banner} role="alert">
        {reason.error.message}
        {reason.error.code === 'SESSION_NOT_FOUND' ? (
          <Link to="/">All sessions</Link>
        ) : (
          <Button size="compact-xs" variant="default" onClick={() => window.location.reload()}>
            Load the page again
          </Button>
        )}
      </div>
    );
  }
  return null;
}
