import { Skeleton, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { Facts } from '../../components/facts.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { client } from '../../lib/client.ts';
import { bytes, count, duration } from '../../lib/format.ts';
import type { Info } from '../../lib/protocol.ts';
import classes from './server-page.module.css';
import { type Health, useHealth, useReady } from './use-health.ts';

export function ServerPage() {
  const health = useHealth();
  const ready = useReady();
  const info = useQuery({ queryKey: ['info'], queryFn: () => client.info(), staleTime: 60_000 });
  return (
    <div className={classes.page}>
      <PageHeader title="Server" note={info.data ? `${info.data.title} ${info.data.version}` : ' '} />
      {info.error ? <ErrorPanel error={info.error} onRetry={() => void info.refetch()} /> : null}
      <div className={classes.grid}>
        <Panel title="Health">
          <Facts
            className={classes.facts}
            facts={[
              ['Answers', <Checked key="h" error={health.error} isGood={health.isSuccess} good="healthy" />],
              ['Ready', <Checked key="r" error={ready.error} isGood={ready.isSuccess} good="ready" />],
              ['Up for', upFor(health.data)],
              ['Sessions', ready.data ? count(ready.data.services.sessions.count) : '–'],
              ['Linked engines', ready.data ? count(ready.data.services.engines.count) : '–'],
            ]}
          />
        </Panel>
        {info.data ? <Details info={info.data} /> : info.error ? null : <Skeleton height={180} />}
      </div>
    </div>
  );
}

function Details({ info }: { readonly info: Info }) {
  const { limits } = info;
  const seconds = (value: number) => (value === 0 ? 'never' : duration(value * 1000));
  return (
    <>
      <Panel title="Versions and models">
        <Facts
          className={classes.facts}
          facts={[
            ['Server', info.server_version],
            ['Protocol', info.protocol_version],
            ['Default model', info.model],
            ['Model providers', info.model_providers.join(', ') || 'none'],
            ['Engines', info.engine_types.join(', ')],
            ['Extension', info.engine_name ?? 'none'],
          ]}
        />
      </Panel>
      <Panel title="Limits">
        <Facts
          className={classes.facts}
          facts={[
            ['Message', bytes(limits.max_message_size)],
            ['Body of a REST call', bytes(limits.max_body_size)],
            ['Recording', `${bytes(limits.max_audio_size)}, ${seconds(limits.max_audio_duration)}`],
            ['Unread data of a client', bytes(limits.max_unsent_bytes)],
            [
              'Messages',
              `${count(limits.messages_per_second)} a second, ${count(limits.message_burst)} at once`,
            ],
            ['Run', seconds(limits.run_timeout)],
            ['Session expires', seconds(limits.session_timeout)],
            ['Heartbeat', seconds(limits.heartbeat_interval)],
          ]}
        />
      </Panel>
      <Panel title={`Tools (${count(info.tools.length)})`}>
        <Names names={info.tools} none="No tools are registered." />
      </Panel>
      <Panel title={`MCP servers (${count(info.mcp_servers.length)})`}>
        {info.mcp_servers.length === 0 ? (
          <p className="muted">None is configured.</p>
        ) : (
          <Facts
            className={classes.facts}
            facts={info.mcp_servers.map(({ name, status, tools }) => [
              name,
              <span key={name} className={classes.state}>
                <StatusBadge status={status} /> {count(tools)} tools
              </span>,
            ])}
          />
        )}
      </Panel>
      <Panel title="Capabilities">
        <Names names={info.capabilities} none="None." />
      </Panel>
    </>
  );
}

interface CheckedProps {
  readonly error: Error | null;
  readonly isGood: boolean;
  readonly good: string;
}

function Checked({ error, isGood, good }: CheckedProps) {
  if (error) {
    return (
      <span className={classes.state}>
        <StatusBadge status="down" /> {error.message}
      </span>
    );
  }
  return isGood ? <StatusBadge status={good} /> : '…';
}

function Panel({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className={classes.panel}>
      <Title order={2}>{title}</Title>
      {children}
    </section>
  );
}

function Names({ names, none }: { readonly names: readonly string[]; readonly none: string }) {
  if (names.length === 0) return <p className="muted">{none}</p>;
  return (
    <ul className={classes.names}>
      {names.map((name) => (
        <li key={name} className="mono">
          {name}
        </li>
      ))}
    </ul>
  );
}

function upFor(health: Health | undefined): string {
  return health ? duration(Math.floor(health.uptime) * 1000) : '–';
}
