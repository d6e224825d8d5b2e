import { Title } from '@mantine/core';
import { useMemo } from 'react';
import { Facts } from '../../components/facts.tsx';
import { count, duration, shortId } from '../../lib/format.ts';
import type { Run, SessionEvent } from '../../lib/protocol.ts';
import { measureRun, type Span } from './measure-run.ts';
import { took } from './run-table.tsx';
import classes from './runs-tab.module.css';

export interface RunDetailProps {
  readonly run: Run;
  readonly events: readonly SessionEvent[];
}

/** Where the time of a run went. */
export function RunDetail({ run, events }: RunDetailProps) {
  const { spans, total, firstTokenMs, tokensPerSecond } = useMemo(
    () => measureRun(events, run.run_id),
    [events, run.run_id],
  );
  const facts = [
    ['First token', firstTokenMs === null ? '–' : duration(firstTokenMs)],
    ['Tokens a second', tokensPerSecond === null ? '–' : count(tokensPerSecond)],
    ['Took', took(run)],
    [
      'Tokens',
      run.usage ? `${count(run.usage.input_tokens)} in, ${count(run.usage.output_tokens)} out` : '–',
    ],
    ['Engine', run.engine_type],
  ] as const;
  return (
    <section className={classes.panel} aria-label={`Run ${shortId(run.run_id)}`}>
      <Title order={2}>
        Run <span className="mono">{shortId(run.run_id)}</span>
      </Title>
      <Facts className={classes.facts} facts={facts} />
      {run.error ? (
        <p>
          {run.error.message} <span className="mono muted">{run.error.code}</span>
        </p>
      ) : null}
      {spans.length === 0 ? (
        <p className="muted">Its events are not kept any more.</p>
      ) : (
        <>
          <ul className={classes.waterfall} aria-label="Steps of the run">
            {spans.map((span) => (
              <Line key={span.key} span={span} total={Math.max(total, 1)} />
            ))}
          </ul>
          <p className={classes.legend}>Steps of the model; the pale part is the wait for its first token.</p>
        </>
      )}
    </section>
  );
}

function Line({ span, total }: { readonly span: Span; readonly total: number }) {
  const { kind, label, from, first, to, isOver } = span;
  const written = first ?? from;
  return (
    <li>
      <span className="truncate" title={label}>
        {label}
      </span>
      <span className={classes.track} aria-hidden>
        {first === null ? null : <span className={classes.wait} style={place(from, first, total)} />}
        <span className={classes.bar} data-kind={kind} style={place(written, to, total)} />
      </span>
      <span className={`numbers ${classes.number}`}>{isOver ? duration(to - from) : 'runs'}</span>
    </li>
  );
}

function place(from: number, to: number, total: number) {
  return { left: `${(from / total) * 100}%`, width: `${((to - from) / total) * 100}%` };
}
