import { Collapse, UnstyledButton } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { Markdown } from './markdown.tsx';
import classes from './message-item.module.css';

export interface ReasoningProps {
  readonly text: string;
  /** More of it is to come. */
  readonly isStreaming: boolean;
}

export function Reasoning({ text, isStreaming }: ReasoningProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  if (text.trim() === '') return null;
  return (
    <div className={classes.reasoning}>
      <UnstyledButton
        className={classes.reasoningHead}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <IconChevronRight size={14} className={classes.chevron} data-open={open} aria-hidden />
        <span data-streaming={isStreaming}>{isStreaming ? 'Thinking…' : 'Reasoning'}</span>
      </UnstyledButton>
      <Collapse expanded={open} id={id}>
        {open ? (
          <div className={classes.reasoningText}>
            <Markdown text={text} />
          </div>
        ) : null}
      </Collapse>
    </div>
  );
}
