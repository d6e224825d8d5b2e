import { UnstyledButton } from '@mantine/core';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { count, duration, money, shortId } from '../../lib/format.ts';
import type { Run } from '../../lib/protocol.ts';
import classes from './runs-tab.module.css';

export interface RunTableProps {
  readonly runs: readonly Run[];
  readonly chosen: string;
  readonly onChoose: (runId: string) => void;
}

export function RunTable({ runs, chosen, onChoose }: RunTableProps) {
  const hasCost = runs.some(({ usage }) => usage?.cost !== undefined);
  return (
    <table className={`table ${classes.table}`}>
      <thead>
        <tr>
          <th>Run</th>
          <th>Status</th>
          <th className={classes.extra}>Command</th>
          <th className={`${classes.number} ${classes.extra}`}>In</th>
          <th className={`${classes.number} ${classes.extra}`}>Out</th>
          {hasCost ? <th className={`${classes.number} ${classes.extra}`}>Cost</th> : null}
          <th className={classes.number}>Took</th>
          <th className={classes.number}>When</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.run_id} data-chosen={run.run_id === chosen}>
            <td>
              <UnstyledButton
                className="mono"
                aria-pressed={run.run_id === chosen}
                onClick={() => onChoose(run.run_id)}
              >
                {shortId(run.run_id)}
              </UnstyledButton>
            </td>
            <td>
              <StatusBadge status={run.status} />
            </td>
            <td className={classes.extra}>{run.command}</td>
            <td className={`${classes.number} ${classes.extra}`}>
              {run.usage ? count(run.usage.input_tokens) : '–'}
            </td>
            <td className={`${classes.number} ${classes.extra}`}>
              {run.usage ? count(run.usage.output_tokens) : '–'}
            </td>
            {hasCost ? (
              <td className={`${classes.number} ${classes.extra}`}>
                {run.usage?.cost === undefined ? '–' : money(run.usage.cost)}
              </td>
            ) : null}
            <td className={classes.number}>{took(run)}</td>
            <td className={classes.number}>
              <RelativeTime at={run.created_at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function took({ started_at: from, finished_at: to }: Run): string {
  return from === null || to === null ? '–' : duration(Date.parse(to) - Date.parse(from));
}
