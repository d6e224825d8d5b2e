import type { ViewToolCall } from '@llmgine/client';
import { Collapse, Loader, UnstyledButton } from '@mantine/core';
import { IconAlertCircle, IconCheck, IconChevronRight, IconClock } from '@tabler/icons-react';
import { memo, useId, useState } from 'react';
import { JsonView } from '../../components/json-view.tsx';
import { duration } from '../../lib/format.ts';
import classes from './tool-call-card.module.css';

const WORDS: Readonly<Record<ViewToolCall['status'], string>> = {
  waiting: 'waits',
  running: 'running',
  done: 'done',
  failed: 'failed',
};

export const ToolCallCard = memo(function ToolCallCard({ call }: { readonly call: ViewToolCall }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const { tool_name: name, status } = call;
  const isOver = status === 'done' || status === 'failed';
  return (
    <div className={classes.card} data-status={status}>
      <UnstyledButton
        className={classes.head}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <StatusIcon status={status} />
        <span className={`mono ${classes.name}`}>{name}</span>
        <span className={`mono truncate ${classes.brief}`}>{open ? '' : brief(call.arguments)}</span>
        <span className={classes.state}>
          {WORDS[status]}
          {call.duration_ms === null ? '' : ` · ${duration(call.duration_ms)}`}
        </span>
        <IconChevronRight size={14} className={classes.chevron} data-open={open} aria-hidden />
      </UnstyledButton>
      <Collapse expanded={open} id={id}>
        {open ? (
          <div className={classes.body}>
            <div className={classes.label}>Arguments</div>
            <JsonView value={call.arguments} label={`Arguments of ${name}`} />
            {isOver ? (
              <>
                <div className={classes.label}>{status === 'failed' ? 'Error' : 'Result'}</div>
                <JsonView value={call.result} label={`Result of ${name}`} />
              </>
            ) : null}
          </div>
        ) : null}
      </Collapse>
    </div>
  );
});

function StatusIcon({ status }: Pick<ViewToolCall, 'status'>) {
  if (status === 'running') return <Loader size={14} aria-hidden />;
  if (status === 'waiting') return <IconClock size={16} aria-hidden />;
  if (status === 'failed') return <IconAlertCircle size={16} className={classes.bad} aria-hidden />;
  return <IconCheck size={16} className={classes.good} aria-hidden />;
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text === '{}' ? '' : text.slice(0, 200);
}
