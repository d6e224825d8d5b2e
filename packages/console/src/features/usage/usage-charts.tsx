import '@mantine/charts/styles.css';
import { BarChart, LineChart } from '@mantine/charts';
import { Title } from '@mantine/core';
import { useMemo } from 'react';
import { shortId } from '../../lib/format.ts';
import type { Run, SessionEvent } from '../../lib/protocol.ts';
import { measureRun } from './measure-run.ts';
import classes from './runs-tab.module.css';

/** More bars than this are a wall. */
const SHOWN = 30;

export interface UsageChartsProps {
  /** Newest first. */
  readonly runs: readonly Run[];
  readonly events: readonly SessionEvent[];
}

export function UsageCharts({ runs, events }: UsageChartsProps) {
  const data = useMemo(
    () =>
      runs
        .slice(0, SHOWN)
        .reverse()
        .map((run) => {
          const { firstTokenMs, tokensPerSecond } = measureRun(events, run.run_id);
          return {
            run: shortId(run.run_id),
            in: run.usage?.input_tokens ?? 0,
            out: run.usage?.output_tokens ?? 0,
            first: firstTokenMs,
            speed: tokensPerSecond === null ? null : Math.round(tokensPerSecond),
          };
        }),
    [runs, events],
  );
  return (
    <div className={classes.charts}>
      <figure className={classes.panel} aria-label="Tokens of each run; the table below has the numbers">
        <Title order={2}>Tokens by run</Title>
        <BarChart
          h={190}
          data={data}
          dataKey="run"
          type="stacked"
          series={[
            { name: 'in', label: 'Input', color: 'gray.5' },
            { name: 'out', label: 'Output', color: 'pine.6' },
          ]}
          barProps={{ isAnimationActive: false, maxBarSize: 36 }}
          withLegend
          gridAxis="x"
        />
      </figure>
      <figure className={classes.panel} aria-label="Time to the first token and tokens a second of each run">
        <Title order={2}>Latency and speed</Title>
        <LineChart
          h={190}
          data={data}
          dataKey="run"
          series={[
            { name: 'first', label: 'First token, ms', color: 'pine.6' },
            { name: 'speed', label: 'Tokens a second', color: 'yellow.7', yAxisId: 'right' },
          ]}
          lineProps={{ isAnimationActive: false }}
          connectNulls
          withRightYAxis
          withLegend
          gridAxis="x"
          curveType="monotone"
        />
      </figure>
    </div>
  );
}
