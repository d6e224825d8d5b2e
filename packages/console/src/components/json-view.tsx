import { Button } from '@mantine/core';
import { useState } from 'react';
import { count } from '../lib/format.ts';
import { CopyIcon } from './copy.tsx';
import classes from './json-view.module.css';
import { Scroller } from './scroller.tsx';

/** A browser lays out this much in an instant. */
const SHOWN = 4000;

export interface JsonViewProps {
  readonly value: unknown;
  readonly label: string;
}

export function JsonView({ value, label }: JsonViewProps) {
  const [whole, setWhole] = useState(false);
  const text = typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined');
  const isCut = text.length > SHOWN && !whole;
  return (
    <div className={classes.frame}>
      <Scroller label={label}>
        <pre className={classes.text}>{isCut ? `${text.slice(0, SHOWN)}…` : text}</pre>
      </Scroller>
      <div className={classes.copy}>
        <CopyIcon text={text} label={`Copy ${label.toLowerCase()}`} />
      </div>
      {isCut ? (
        <Button size="compact-xs" variant="subtle" onClick={() => setWhole(true)}>
          Show all {count(text.length)} characters
        </Button>
      ) : null}
    </div>
  );
}
