import type { ViewRun } from '@llmgine/client';
import { Loader } from '@mantine/core';
import { IconAlertTriangle, IconPlayerStop } from '@tabler/icons-react';
import type { Run } from '../../lib/protocol.ts';
import classes from './run-note.module.css';

export interface RunNoteProps {
  readonly run: Run | ViewRun;
  /** Its answer is growing, which says enough. */
  readonly isStreaming: boolean;
}

/** How a run goes that does not show it by what it says. */
export function RunNote({ run, isStreaming }: RunNoteProps) {
  if (run.status === 'failed') {
    return (
      <div className={classes.note} data-kind="failed" role="alert">
        <IconAlertTriangle size={16} aria-hidden />
        <span>
          {run.error?.message ?? 'The run failed'}
          {run.error ? <span className={`mono ${classes.code}`}>{run.error.code}</span> : null}
        </span>
      </div>
    );
  }
  if (run.status === 'cancelled') {
    return (
      <div className={classes.note}>
        <IconPlayerStop size={16} aria-hidden />
        <span>Stopped</span>
      </div>
    );
  }
  if (run.finished_at !== null || isStreaming) return null;
  return (
    <div className={classes.note}>
      {run.status === 'awaiting_input' ? null : <Loader size={14} aria-hidden />}
      <span>{('status_text' in run ? run.status_text : null) ?? WORDS[run.status] ?? 'Working'}</span>
    </div>
  );
}

const WORDS: Readonly<Record<string, string>> = {
  queued: 'Waits for its turn',
  running: 'Working…',
  awaiting_input: 'Waits for an answer from you',
};
